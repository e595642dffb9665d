{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['medium', 'campaign_id', 'ad_id'],
) }}
-- Grain: one row is a figure of a report's row, as one extraction told it.

with reports as (

    select *
    from {{ ref('int_marketing__ad_reports_unified') }}
    where {{ in_days_to_replace('stat_date') }}

),

newest_extractions as (

    select *
    from {{ ref('int_marketing__ad_newest_extractions') }}
    where {{ in_days_to_replace('stat_date') }}

),

{% for name, relation in {
    'media': 'media', 'conversion_types': 'conversion_types', 'accounts': 'int_marketing__ad_accounts',
    'parents': 'int_marketing__ad_parents', 'rates': 'int_marketing__exchange_rates',
}.items() %}
    {{ name }} as (

        select * from {{ ref(relation) }}

    ),

{% endfor %}

-- a blank cell is nothing; six decimals from here on, as what is rounded at the end doesn't add up
told as (

    select
        reports.*,
        media.role,
        media.day_basis,
        media.vat_basis,
        media.refetch_days,
        coalesce(nullif(reports.currency_native, ''), accounts.currency, media.currency)
            as currency,
        coalesce(reports.campaign_id, parents.campaign_id) as known_campaign_id,
        coalesce(reports.ad_group_id, parents.ad_group_id) as known_ad_group_id,
        cast(coalesce(reports.figure, 0) * reports.factor as {{ dbt.type_numeric() }}) as value,
        case
            when reports.conversion_type = 'by_row'
                then coalesce(conversion_types.conversion_type, 'other')
            else reports.conversion_type
        end as known_conversion_type,
        coalesce(
            not reports.is_deleted
            and reports.extracted_on = newest_extractions.extracted_on
            and reports.window_from = newest_extractions.window_from
            and reports.window_to = newest_extractions.window_to
            and coalesce(reports.source_file, '')
            = coalesce(newest_extractions.source_file, ''), false
        ) as is_latest,
        greatest(
            reports.load_id, coalesce(newest_extractions.load_id, 0),
            coalesce(accounts.load_id, 0), coalesce(parents.load_id, 0)
        ) as newest_load_id
    from reports
    left join media on reports.medium = media.medium
    left join accounts
        on reports.medium = accounts.medium
        and reports.account_id = accounts.account_id
    left join parents
        on reports.medium = parents.medium
        and reports.account_id = parents.account_id
        and reports.ad_id = parents.ad_id
        and (reports.campaign_id is null or reports.ad_group_id is null)
    left join conversion_types
        on reports.medium = conversion_types.medium
        and reports.conversion_type_native = conversion_types.conversion_type_native
    left join newest_extractions
        on reports.medium = newest_extractions.medium
        and reports.report = newest_extractions.report
        and coalesce(reports.account_id, '') = coalesce(newest_extractions.account_id, '')
        and reports.stat_date = newest_extractions.stat_date
        and reports.reported_date = newest_extractions.reported_date

),

days_of_currencies as (

    select
        currency,
        stat_date
    from told
    group by currency, stat_date

),

-- so that the many figures find their rate by equality
rates_by_day as (

    select
        rates.*,
        days.stat_date
    from days_of_currencies as days
    inner join rates
        on days.currency = rates.currency
        and days.stat_date >= rates.valid_from
        and days.stat_date < rates.valid_to

),

-- a rate is for so many units: the product first
priced as (

    select
        told.*,
        greatest(told.newest_load_id, coalesce(rates_by_day.load_id, 0)) as load_id_with_rate,
        case
            when told.metric not in ('spend', 'conversion_value') then null
            when told.currency = 'KRW' then told.value
            else {{ ratio('told.value * rates_by_day.krw', 'rates_by_day.unit') }}
        end as value_krw
    from told
    left join rates_by_day
        on told.currency = rates_by_day.currency
        and told.stat_date = rates_by_day.stat_date

),

final as (

    select
        stat_date,
        medium,
        report,
        kind,
        level,
        role,
        day_basis,
        source_file,
        source_line,
        reported_date,
        account_id,
        known_campaign_id as campaign_id,
        campaign_name,
        known_ad_group_id as ad_group_id,
        ad_id,
        keyword_id,
        keyword_text,
        match_type,
        search_term,
        device,
        media_source,
        field,
        metric,
        known_conversion_type as conversion_type,
        conversion_type_native,
        attribution_window,
        click_or_view,
        date_basis,
        case lower(trim(attribution_native))
            when '1' then 'direct'
            when '2' then 'indirect'
            else coalesce(nullif(lower(trim(attribution_native)), ''), 'not_stated')
        end as attribution_method,
        -- where rows tell the kind, applications are the primary one, and the worth of purchases
        is_primary and (
            conversion_type <> 'by_row'
            or known_conversion_type
            = case metric when 'conversions' then 'lead' else 'purchase' end
        ) as is_primary,
        value,
        currency as currency_native,
        value_krw,
        vat_basis,
        -- Korean VAT is 10 %: a tenth is added, or an eleventh taken out; unknown is without
        case
            when metric = 'spend' and vat_basis = 'incl' then {{ ratio('value_krw * 10', 11) }}
            when metric = 'spend' then value_krw
        end as spend_supply_krw,
        case
            when metric = 'spend' and vat_basis = 'incl' then value_krw
            when metric = 'spend' then {{ ratio('value_krw * 11', 10) }}
        end as spend_gross_krw,

        extracted_on,
        window_from,
        window_to,
        cast({{ dbt.datediff('stat_date', 'extracted_on', 'day') }} as {{ dbt.type_bigint() }})
            as age_days,
        cast(refetch_days as {{ dbt.type_bigint() }}) as refetch_days,
        is_deleted,
        is_latest,
        load_id_with_rate as load_id
    from priced

)

select * from final

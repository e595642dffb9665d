{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['medium', 'campaign_id', 'ad_id'],
) }}
-- Grain: one row is a kind of conversion of an ad on a day. Windows and bases overlap: one row's
-- conversions are often another's too, so a sum keeps to one kind.
{% set kinds = [
    'conversion_type', 'attribution_window', 'click_or_view', 'date_basis', 'attribution_method',
] %}
{% set grain = ['stat_date', 'medium', 'account_id', 'campaign_id'] + kinds %}

with figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where is_latest
        and kind in ('delivery', 'total')
        and level <> 'account'
        and metric in ('conversions', 'conversion_value')
        and {{ in_days_to_replace('stat_date') }}

),

-- a total is held only against ads that tell the same kind
media_fields as (

    select
        medium,
        report,
        conversion_type,
        attribution_window,
        click_or_view,
        date_basis
    from {{ ref('media_fields') }}
    where metric = 'conversions'

),

kinds_of_ads as (

    select distinct
        medium,
        conversion_type,
        attribution_window,
        click_or_view,
        date_basis
    from media_fields
    where false
        {% for report in var('ad_reports') if report.kind == 'delivery' %}
            or (medium = '{{ report.medium }}' and report = '{{ report.report }}')
        {% endfor %}

),

entities as (

    select
        figures.stat_date,
        figures.day_basis,
        figures.medium,
        figures.kind = 'total' as is_total,
        coalesce(nullif(figures.account_id, ''), '(not reported)') as account_id,
        coalesce(nullif(figures.campaign_id, ''), '(not reported)') as campaign_id,
        coalesce(nullif(figures.ad_group_id, ''), '(not reported)') as ad_group_id,
        coalesce(nullif(figures.ad_id, ''), '(not reported)') as ad_id,
        {% for column in kinds %}
            coalesce(figures.{{ column }}, 'not_stated') as {{ column }},
        {% endfor %}
        figures.is_primary and figures.metric = 'conversions' as is_primary,
        case figures.metric when 'conversions' then figures.value else 0 end as conversions,
        case figures.metric when 'conversion_value' then figures.value else 0 end
            as value_native,
        case figures.metric when 'conversion_value' then figures.value_krw else 0 end
            as value_krw,
        figures.currency_native,
        figures.extracted_on,
        figures.age_days,
        figures.refetch_days,
        figures.load_id
    from figures
    left join kinds_of_ads
        on figures.medium = kinds_of_ads.medium
        and figures.conversion_type = kinds_of_ads.conversion_type
        and figures.attribution_window = kinds_of_ads.attribution_window
        and figures.click_or_view = kinds_of_ads.click_or_view
        and figures.date_basis = kinds_of_ads.date_basis
    where figures.kind = 'delivery'
        or kinds_of_ads.medium is not null

),

newest as (

    select
        *,
        max(load_id) over (partition by stat_date, medium, account_id, campaign_id)
            as newest_load_id
    from entities

),

delivered as (

    select
        {{ grain | join(', ') }},
        day_basis,
        ad_group_id,
        ad_id,
        false as is_remainder,
        max(case when is_primary then 1 else 0 end) as primary_flag,
        sum(conversions) as conversions,
        sum(value_native) as value_native,
        sum(value_krw) as value_krw,
        max(currency_native) as currency_native,
        min(extracted_on) as extracted_on,
        min(age_days) as age_days,
        max(refetch_days) as refetch_days,
        max(newest_load_id) as load_id
    from newest
    where not is_total
    group by {{ grain | join(', ') }}, day_basis, ad_group_id, ad_id
    union all
    select
        {{ grain | join(', ') }},
        day_basis,
        '(remainder)' as ad_group_id,
        '(remainder)' as ad_id,
        true as is_remainder,
        max(case when is_primary then 1 else 0 end) as primary_flag,
        sum(case when is_total then conversions else -conversions end) as conversions,
        sum(case when is_total then value_native else -value_native end) as value_native,
        sum(case when is_total then value_krw else -value_krw end) as value_krw,
        max(currency_native) as currency_native,
        max(case when is_total then extracted_on end) as extracted_on,
        max(case when is_total then age_days end) as age_days,
        max(refetch_days) as refetch_days,
        max(newest_load_id) as load_id
    from newest
    group by {{ grain | join(', ') }}, day_basis
    having max(case when is_total then 1 else 0 end) = 1

),

final as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        ad_group_id,
        ad_id,
        is_remainder,
        {{ kinds | join(', ') }},
        primary_flag = 1 as is_primary,
        cast(conversions as {{ dbt.type_numeric() }}) as conversions,
        currency_native,
        cast(value_native as {{ dbt.type_numeric() }}) as value_native,
        cast(value_krw as {{ dbt.type_numeric() }}) as value_krw,
        extracted_on,
        cast(age_days as {{ dbt.type_bigint() }}) as age_days,
        age_days >= refetch_days as is_final,
        load_id
    from delivered
    -- a report has a column for each kind, most of them empty
    where conversions <> 0
        or value_native <> 0

)

select * from final

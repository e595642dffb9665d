{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['medium', 'campaign_id', 'ad_id'],
) }}
-- Grain: one row is an ad on a day, or what the medium counts for a campaign or an account beyond.
{% set measures = [
    'impressions', 'clicks', 'spend_native', 'spend_supply_krw', 'spend_gross_krw', 'conversions',
    'conversion_value_krw',
] %}

with figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where is_latest
        and kind in ('delivery', 'total')
        and {{ in_days_to_replace('stat_date') }}

),

-- the reports of an ad on a day in one row; what a medium doesn't split is said to be unsplit
entities as (

    select
        stat_date,
        day_basis,
        medium,
        kind,
        case kind when 'total' then level else 'ad' end as level,
        coalesce(nullif(account_id, ''), '(not reported)') as account_id,
        coalesce(nullif(campaign_id, ''), '(not reported)') as campaign_id,
        coalesce(nullif(ad_group_id, ''), '(not reported)') as ad_group_id,
        coalesce(nullif(ad_id, ''), '(not reported)') as ad_id,
        max(campaign_name) as campaign_name,
        sum(case metric when 'impressions' then value end) as impressions,
        sum(case metric when 'clicks' then value end) as clicks,
        max(currency_native) as currency_native,
        sum(case metric when 'spend' then value end) as spend_native,
        max(vat_basis) as vat_basis,
        sum(case metric when 'spend' then spend_supply_krw end) as spend_supply_krw,
        sum(case metric when 'spend' then spend_gross_krw end) as spend_gross_krw,
        sum(case when is_primary and metric = 'conversions' then value end) as conversions,
        sum(case when is_primary and metric = 'conversion_value' then value_krw end)
            as conversion_value_krw,
        min(extracted_on) as extracted_on,
        max(refetch_days) as refetch_days,
        max(load_id) as load_id
    from figures
    group by
        stat_date, day_basis, medium, kind, case kind when 'total' then level else 'ad' end,
        coalesce(nullif(account_id, ''), '(not reported)'),
        coalesce(nullif(campaign_id, ''), '(not reported)'),
        coalesce(nullif(ad_group_id, ''), '(not reported)'),
        coalesce(nullif(ad_id, ''), '(not reported)')

),

-- a campaign's total stands beside its ads, as does its name, which some reports of ads lack
named as (

    select
        *,
        max(campaign_name) over (partition by stat_date, medium, account_id, campaign_id)
            as reported_campaign_name,
        max(load_id) over (partition by stat_date, medium, account_id) as newest_load_id
    from entities

),

-- a total less its parts; what no total tells has nothing beyond
campaign_remainders as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        reported_campaign_name,
        max(currency_native) as currency_native,
        max(vat_basis) as vat_basis,
        {% for measure in measures %}
            coalesce(
                sum(case level when 'campaign' then {{ measure }} end)
                - coalesce(sum(case level when 'ad' then {{ measure }} end), 0), 0
            ) as {{ measure }},
        {% endfor %}
        max(case level when 'campaign' then extracted_on end) as extracted_on,
        max(refetch_days) as refetch_days,
        newest_load_id
    from named
    where level in ('ad', 'campaign')
    group by
        stat_date, day_basis, medium, account_id, campaign_id, reported_campaign_name,
        newest_load_id

),

below_accounts as (

    {% for relation in ['named', 'campaign_remainders'] %}
        select
            stat_date,
            day_basis,
            medium,
            {{ "level" if loop.first else "'ad' as level" }},
            account_id,
            campaign_id,
            {{ "ad_group_id" if loop.first else "'(remainder)' as ad_group_id" }},
            {{ "ad_id" if loop.first else "'(remainder)' as ad_id" }},
            reported_campaign_name,
            currency_native,
            vat_basis,
            {{ measures | join(', ') }},
            extracted_on,
            refetch_days,
            newest_load_id
        from {{ relation }}
        {% if loop.first %}
            where level in ('ad', 'account')
            union all
        {% endif %}
    {% endfor %}

),

delivered as (

    select
        *,
        ad_id = '(remainder)' as is_remainder
    from below_accounts
    where level = 'ad'
    union all
    select
        stat_date,
        day_basis,
        medium,
        'ad' as level,
        account_id,
        '(remainder)' as campaign_id,
        '(remainder)' as ad_group_id,
        '(remainder)' as ad_id,
        cast(null as {{ dbt.type_string() }}) as reported_campaign_name,
        max(currency_native) as currency_native,
        max(vat_basis) as vat_basis,
        {% for measure in measures %}
            coalesce(
                sum(case level when 'account' then {{ measure }} end)
                - coalesce(sum(case level when 'ad' then {{ measure }} end), 0), 0
            ) as {{ measure }},
        {% endfor %}
        max(case level when 'account' then extracted_on end) as extracted_on,
        max(refetch_days) as refetch_days,
        max(newest_load_id) as newest_load_id,
        true as is_remainder
    from below_accounts
    group by stat_date, day_basis, medium, account_id

),

final as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        reported_campaign_name as campaign_name,
        ad_group_id,
        ad_id,
        is_remainder,
        cast(coalesce(impressions, 0) as {{ dbt.type_bigint() }}) as impressions,
        cast(coalesce(clicks, 0) as {{ dbt.type_bigint() }}) as clicks,
        currency_native,
        cast(coalesce(spend_native, 0) as {{ dbt.type_numeric() }}) as spend_native,
        vat_basis,
        {% for measure in ['spend_supply_krw', 'spend_gross_krw'] %}
            cast(
                case when spend_native is not null then {{ measure }} else 0 end
                as {{ dbt.type_numeric() }}
            ) as {{ measure }},
        {% endfor %}
        cast(coalesce(conversions, 0) as {{ dbt.type_numeric() }}) as conversions,
        cast(coalesce(conversion_value_krw, 0) as {{ dbt.type_numeric() }}) as conversion_value_krw,
        extracted_on,
        cast({{ dbt.datediff('stat_date', 'extracted_on', 'day') }} as {{ dbt.type_bigint() }})
            as age_days,
        {{ dbt.datediff('stat_date', 'extracted_on', 'day') }} >= refetch_days as is_final,
        newest_load_id as load_id
    from delivered
    where not is_remainder
        or {{ measures | join(' <> 0 or ') }} <> 0  -- noqa: LT05

)

select * from final

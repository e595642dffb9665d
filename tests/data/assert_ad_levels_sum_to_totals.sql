-- Exactly, not nearly: a campaign's ads and remainder add up to its newest total, and all of an
-- account to the account's, in each measure that the total tells.
{% set measures = {
    'impressions': ('impressions', 'value'), 'clicks': ('clicks', 'value'),
    'spend_native': ('spend', 'value'), 'spend_supply_krw': ('spend', 'spend_supply_krw'),
    'spend_gross_krw': ('spend', 'spend_gross_krw'), 'conversions': ('conversions', 'value'),
    'conversion_value_krw': ('conversion_value', 'value_krw'),
} %}

with figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where is_latest
        and kind = 'total'
        and (metric in ('impressions', 'clicks', 'spend') or is_primary)

),

totals as (

    select
        stat_date,
        medium,
        level,
        account_id,
        {% for measure, (metric, column) in measures.items() %}
            sum(case metric when '{{ metric }}' then {{ column }} end) as {{ measure }},
        {% endfor %}
        case level when 'campaign' then campaign_id end as campaign_id
    from figures
    group by stat_date, medium, level, account_id, case level when 'campaign' then campaign_id end

),

delivered as (

    {% for level in ['campaign', 'account'] %}
        select
            stat_date,
            medium,
            '{{ level }}' as level,
            account_id,
            {% for measure in measures %}
                sum({{ measure }}) as {{ measure }},
            {% endfor %}
            {{ 'campaign_id' if level == 'campaign'
                else 'cast(null as ' ~ dbt.type_string() ~ ') as campaign_id' }}
        from {{ ref('fct_ad_delivery_daily') }}
        group by stat_date, medium, account_id{{ ', campaign_id' if level == 'campaign' }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    totals.stat_date,
    totals.medium,
    totals.level,
    totals.account_id,
    totals.campaign_id
from totals
left join delivered
    on totals.stat_date = delivered.stat_date
    and totals.medium = delivered.medium
    and totals.level = delivered.level
    and totals.account_id = delivered.account_id
    and coalesce(totals.campaign_id, '') = coalesce(delivered.campaign_id, '')
where false
    {% for measure in measures %}
        or totals.{{ measure }} <> coalesce(delivered.{{ measure }}, 0)
    {% endfor %}

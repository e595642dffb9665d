{{ replaces_days(
    'stat_date', changes='int_marketing__ad_performance_changes',
    looked_up_by=['medium', 'campaign_id'],
) }}
-- Grain: one row is a campaign on a day: what it cost, and what came of it at first hand.
{% set first_party = {
    'application': 'applications', 'booking': 'bookings', 'visit': 'visits', 'payment': 'payments',
} %}

with deliveries as (

    select *
    from {{ ref('fct_ad_delivery_daily') }}
    where {{ in_days_to_replace('stat_date') }}

),

conversions as (

    select *
    from {{ ref('fct_conversions') }}
    where {{ in_days_to_replace('created_date') }}

),

links as (

    select * from {{ ref('int_marketing__ad_campaign_links') }}

),

-- what no campaign is known for is kept, so that all campaigns together are all conversions
results as (

    select
        conversions.created_date as stat_date,
        coalesce(links.medium, '(none)') as medium,
        coalesce(links.campaign_id, '(unmapped)') as campaign_id,
        {% for conversion_type, plural in first_party.items() %}
            sum(case conversions.conversion_type when '{{ conversion_type }}' then 1 else 0 end)
                as {{ plural }},
        {% endfor %}
        sum(case conversions.conversion_type when 'payment' then conversions.value_krw else 0 end)
            as payment_krw,
        max(greatest(conversions.load_id, coalesce(links.load_id, 0))) as load_id
    from conversions
    left join links on conversions.campaign = links.campaign
    group by
        conversions.created_date,
        coalesce(links.medium, '(none)'),
        coalesce(links.campaign_id, '(unmapped)')

),

sides as (

    select
        stat_date,
        medium,
        campaign_id,
        campaign_name,
        impressions,
        clicks,
        spend_supply_krw,
        spend_gross_krw,
        conversions as claimed_conversions,
        conversion_value_krw as claimed_value_krw,
        {% for plural in first_party.values() %}
            0 as {{ plural }},
        {% endfor %}
        0 as payment_krw,
        is_final,
        load_id
    from deliveries
    union all
    select
        stat_date,
        medium,
        campaign_id,
        cast(null as {{ dbt.type_string() }}) as campaign_name,
        0 as impressions,
        0 as clicks,
        0 as spend_supply_krw,
        0 as spend_gross_krw,
        0 as claimed_conversions,
        0 as claimed_value_krw,
        {{ first_party.values() | join(', ') }},
        payment_krw,
        true as is_final,
        load_id
    from results

),

summed as (

    select
        stat_date,
        medium,
        campaign_id,
        max(campaign_name) as campaign_name,
        {% for measure in ['impressions', 'clicks', 'spend_supply_krw', 'spend_gross_krw',
            'claimed_conversions', 'claimed_value_krw', 'payment_krw'] + first_party.values() | list %}
            sum({{ measure }}) as {{ measure }},
        {% endfor %}
        min(case when is_final then 1 else 0 end) as final_flag,
        max(load_id) as load_id
    from sides
    group by stat_date, medium, campaign_id

),

final as (

    select
        stat_date,
        medium,
        campaign_id,
        campaign_name,

        cast(impressions as {{ dbt.type_bigint() }}) as impressions,
        cast(clicks as {{ dbt.type_bigint() }}) as clicks,
        cast(spend_supply_krw as {{ dbt.type_numeric() }}) as spend_supply_krw,
        cast(spend_gross_krw as {{ dbt.type_numeric() }}) as spend_gross_krw,
        cast(claimed_conversions as {{ dbt.type_numeric() }}) as claimed_conversions,
        cast(claimed_value_krw as {{ dbt.type_numeric() }}) as claimed_value_krw,
        {% for plural in first_party.values() %}
            cast({{ plural }} as {{ dbt.type_bigint() }}) as {{ plural }},
        {% endfor %}
        cast(payment_krw as {{ dbt.type_bigint() }}) as payment_krw,

        {{ ratio('clicks', 'impressions') }} as click_rate,
        {{ ratio('spend_supply_krw', 'clicks') }} as cost_per_click_krw,
        {{ ratio('spend_supply_krw * 1000', 'impressions') }} as cost_per_mille_krw,
        {{ ratio('spend_supply_krw', 'claimed_conversions') }} as cost_per_claim_krw,
        {{ ratio('spend_supply_krw', 'applications') }} as cost_per_application_krw,
        {{ ratio('payment_krw', 'spend_supply_krw') }} as return_on_spend,
        {{ ratio('claimed_value_krw', 'spend_supply_krw') }} as claimed_return_on_spend,
        final_flag = 1 as is_final,
        load_id
    from summed

)

select * from final

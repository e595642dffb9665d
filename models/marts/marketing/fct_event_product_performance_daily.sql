{{ replaces_days(
    'stat_date', changes='int_marketing__event_product_changes',
    looked_up_by=['event_product_id', 'medium'],
) }}
-- One row is an event product on a day by medium; product 0 holds what belongs to no product.
{% set outcome_counts = {
    'application': 'applications', 'booking': 'bookings', 'visit': 'visits',
} %}
{% set counts = ['views', 'viewers', 'application_starts', 'applications', 'bookings', 'visits'] %}
{% set amounts = ['revenue_krw', 'fee_krw'] %}

with events as (

    select *
    from {{ ref('int_marketing__event_product_events') }}
    where {{ in_days_to_replace('occurred_date') }}

),

outcomes as (

    select *
    from {{ ref('int_marketing__event_product_outcomes') }}
    where {{ in_days_to_replace('created_date') }}

),

deliveries as (

    select *
    from {{ ref('fct_ad_delivery_daily') }}
    where {{ in_days_to_replace('stat_date') }}

),

links as (

    select * from {{ ref('int_marketing__ad_campaign_links') }}

),

campaign_spend as (

    select
        stat_date,
        medium,
        campaign_id,
        sum(spend_supply_krw) as spend_supply_krw,
        max(load_id) as load_id
    from deliveries
    group by stat_date, medium, campaign_id

),

campaign_views as (

    select
        events.occurred_date as stat_date,
        links.medium,
        links.campaign_id,
        events.event_product_id,
        count(*) as views,
        max(greatest(events.load_id, links.load_id)) as load_id
    from events
    inner join links on events.campaign = links.campaign
    where events.is_view
    group by events.occurred_date, links.medium, links.campaign_id, events.event_product_id

),

shares as (

    select
        campaign_spend.stat_date,
        campaign_spend.medium,
        campaign_spend.campaign_id,
        campaign_spend.spend_supply_krw,
        -- a campaign that nobody came from to a product
        coalesce(campaign_views.event_product_id, 0) as event_product_id,
        coalesce(campaign_views.views, 0) as views,
        sum(campaign_views.views) over campaign_days as all_views,
        max(coalesce(campaign_views.event_product_id, 0)) over campaign_days as last_product_id,
        greatest(campaign_spend.load_id, coalesce(campaign_views.load_id, 0)) as load_id
    from campaign_spend
    left join campaign_views
        on campaign_spend.stat_date = campaign_views.stat_date
        and campaign_spend.medium = campaign_views.medium
        and campaign_spend.campaign_id = campaign_views.campaign_id
    window campaign_days as (
        partition by
            campaign_spend.stat_date, campaign_spend.medium, campaign_spend.campaign_id
    )

),

-- whole won by share of the views
whole_won as (

    select
        *,
        case
            when event_product_id = last_product_id then 0
            else floor({{ ratio('spend_supply_krw * views', 'all_views') }})
        end as whole_krw
    from shares

),

-- what is over goes to the last product
spend as (

    select
        stat_date,
        event_product_id,
        medium,
        case
            when event_product_id = last_product_id
                then spend_supply_krw - sum(whole_krw) over campaign_days
            else whole_krw
        end as spend_supply_krw,
        load_id
    from whole_won
    window campaign_days as (partition by stat_date, medium, campaign_id)

),

sides as (

    select
        occurred_date as stat_date,
        event_product_id,
        medium,
        sum(case when is_view then 1 else 0 end) as views,
        count(distinct case when is_view then visitor_key end) as viewers,
        sum(case when is_view then 0 else 1 end) as application_starts,
        {{ '0 as ' ~ (counts[3:] + amounts) | join(', 0 as ') }},
        0 as spend_supply_krw,
        max(load_id) as load_id
    from events
    group by occurred_date, event_product_id, medium
    union all
    select
        created_date as stat_date,
        event_product_id,
        medium,
        {{ '0 as ' ~ counts[:3] | join(', 0 as ') }},
        {% for conversion_type, plural in outcome_counts.items() %}
            case conversion_type when '{{ conversion_type }}' then 1 else 0 end as {{ plural }},
        {% endfor %}
        value_krw as revenue_krw,
        fee_krw,
        0 as spend_supply_krw,
        load_id
    from outcomes
    union all
    select
        stat_date,
        event_product_id,
        medium,
        {{ '0 as ' ~ (counts + amounts) | join(', 0 as ') }},
        spend_supply_krw,
        load_id
    from spend

),

summed as (

    select
        stat_date,
        event_product_id,
        medium,
        {% for count in counts + amounts %}
            cast(sum({{ count }}) as {{ dbt.type_bigint() }}) as {{ count }},
        {% endfor %}
        cast(sum(spend_supply_krw) as {{ dbt.type_numeric() }}) as spend_supply_krw,
        max(load_id) as load_id
    from sides
    group by stat_date, event_product_id, medium

),

final as (

    select
        stat_date,
        event_product_id,
        medium,
        {{ (counts + amounts) | join(', ') }},
        spend_supply_krw,
        cast(fee_krw - spend_supply_krw as {{ dbt.type_numeric() }}) as margin_krw,
        load_id
    from summed

)

select * from final

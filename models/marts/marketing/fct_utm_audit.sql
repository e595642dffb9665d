-- One row is a campaign in a week: whether its ads' landing pages say which campaign sent visitors.
{% set after_utm = dbt.split_part('entities.landing_url', "'utm_campaign='", 2) %}
{% set utm = dbt.split_part(dbt.split_part(after_utm, "'&'", 1), "'#'", 1) %}

with deliveries as (

    select * from {{ ref('fct_ad_delivery_daily') }}

),

performance as (

    select * from {{ ref('fct_campaign_performance_daily') }}

),

entities as (

    select *
    from {{ ref('dim_ad_entities') }}
    where level = 'ad'

),

links as (

    select * from {{ ref('int_marketing__ad_campaign_links') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

-- the page as it was told on the day; the first that was told reaches back
paged as (

    select
        dates.week_start_date,
        deliveries.medium,
        deliveries.campaign_id,
        case
            when deliveries.ad_id not in ('(remainder)', '(not reported)') then deliveries.ad_id
        end as known_ad_id,
        deliveries.campaign_name,
        deliveries.spend_supply_krw,
        nullif(entities.landing_url, '') as landing_url,
        nullif(lower(trim({{ utm }})), '') as utm_campaign
    from deliveries
    inner join dates on deliveries.stat_date = dates.calendar_date
    left join entities
        on deliveries.medium = entities.medium
        and deliveries.account_id = entities.account_id
        and deliveries.ad_id = entities.entity_id
        and (deliveries.stat_date >= entities.valid_from_date or entities.version_no = 1)
        and (deliveries.stat_date < entities.valid_to_date or entities.valid_to_date is null)

),

linked_campaigns as (

    select distinct
        medium,
        campaign_id
    from links
    where campaign_id is not null

),

-- a page that no report tells is as good as the campaign's own link
matched as (

    select
        paged.*,
        case
            when paged.utm_campaign = lower(trim(paged.campaign_name)) then 'auto'
            when links.campaign is not null then 'mapped'
            when paged.landing_url is null and linked_campaigns.campaign_id is not null
                then 'mapped'
            else 'none'
        end as match_type
    from paged
    left join links
        on paged.utm_campaign = links.campaign
        and paged.medium = links.medium
        and paged.campaign_id = links.campaign_id
    left join linked_campaigns
        on paged.medium = linked_campaigns.medium
        and paged.campaign_id = linked_campaigns.campaign_id

),

audited as (

    select
        week_start_date,
        medium,
        campaign_id,
        max(campaign_name) as campaign_name,
        sum(spend_supply_krw) as spend_supply_krw,
        count(distinct known_ad_id) as ad_count,
        count(distinct case when match_type = 'none' then known_ad_id end)
            as unmatched_ad_count,
        coalesce(min(case when match_type = 'none' then landing_url end), min(landing_url))
            as landing_url,
        coalesce(min(case when match_type = 'none' then utm_campaign end), min(utm_campaign))
            as utm_campaign,
        case
            when max(case when match_type = 'none' then 1 else 0 end) = 1 then 'none'
            when max(case when match_type = 'auto' then 1 else 0 end) = 1 then 'auto'
            else 'mapped'
        end as match_type,
        sum(case when match_type = 'none' then spend_supply_krw else 0 end) as money_at_risk_krw
    from matched
    group by week_start_date, medium, campaign_id

),

results as (

    select
        dates.week_start_date,
        performance.medium,
        performance.campaign_id,
        sum(performance.applications) as applications,
        sum(performance.visits) as visits
    from performance
    inner join dates on performance.stat_date = dates.calendar_date
    group by dates.week_start_date, performance.medium, performance.campaign_id

),

final as (

    select
        audited.week_start_date,
        audited.medium,
        audited.campaign_id,
        audited.campaign_name,
        cast(audited.spend_supply_krw as {{ dbt.type_numeric() }}) as spend_supply_krw,
        cast(audited.ad_count as {{ dbt.type_bigint() }}) as ad_count,
        cast(audited.unmatched_ad_count as {{ dbt.type_bigint() }}) as unmatched_ad_count,
        audited.landing_url,
        audited.utm_campaign,
        cast(coalesce(results.applications, 0) as {{ dbt.type_bigint() }}) as applications,
        cast(coalesce(results.visits, 0) as {{ dbt.type_bigint() }}) as visits,
        audited.match_type,
        cast(audited.money_at_risk_krw as {{ dbt.type_numeric() }}) as money_at_risk_krw
    from audited
    left join results
        on audited.week_start_date = results.week_start_date
        and audited.medium = results.medium
        and audited.campaign_id = results.campaign_id

)

select * from final

-- One row is a campaign on a day: what its medium claims, what we saw, what measurement media say.

with performance as (

    select * from {{ ref('fct_campaign_performance_daily') }}

),

claims as (

    select * from {{ ref('fct_ad_conversions_daily') }}

),

figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where is_latest
        and kind = 'measurement'
        and metric = 'conversions'

),

entities as (

    select * from {{ ref('dim_ad_entities') }}

),

links as (

    select * from {{ ref('int_marketing__ad_campaign_links') }}

),

-- measurement media name campaigns by the ids of the media that ran them
campaign_media as (

    select
        entities.entity_id as campaign_id,
        max(entities.medium) as medium
    from entities
    where entities.level = 'campaign'
    group by entities.entity_id
    having count(distinct entities.medium) = 1

),

linked_campaigns as (

    select distinct
        medium,
        campaign_id
    from links
    where campaign_id is not null

),

claimed_types as (

    select
        stat_date,
        medium,
        campaign_id,
        case when min(conversion_type) = max(conversion_type) then min(conversion_type) end
            as claimed_type
    from claims
    where is_primary
    group by stat_date, medium, campaign_id

),

measured_by as (

    select
        figures.stat_date,
        figures.medium as measuring_medium,
        campaign_media.medium,
        campaign_media.campaign_id,
        sum(case figures.conversion_type when 'install' then figures.value else 0 end) as installs,
        sum(case figures.conversion_type when 'lead' then figures.value else 0 end) as leads
    from figures
    inner join campaign_media on figures.campaign_id = campaign_media.campaign_id
    group by
        figures.stat_date, figures.medium, campaign_media.medium, campaign_media.campaign_id

),

-- two measurement media count the same installs: the higher count, never their sum
measured as (

    select
        stat_date,
        medium,
        campaign_id,
        max(installs) as measured_installs,
        max(leads) as measured_leads,
        count(*) as measuring_media_count
    from measured_by
    group by stat_date, medium, campaign_id

),

compared as (

    select
        coalesce(performance.stat_date, measured.stat_date) as stat_date,
        coalesce(performance.medium, measured.medium) as medium,
        coalesce(performance.campaign_id, measured.campaign_id) as campaign_id,
        coalesce(performance.claimed_conversions, 0) as claimed_conversions,
        claimed_types.claimed_type,
        coalesce(performance.applications, 0) as applications,
        coalesce(measured.measured_installs, 0) as measured_installs,
        coalesce(measured.measured_leads, 0) as measured_leads,
        coalesce(measured.measuring_media_count, 0) as measuring_media_count,
        linked_campaigns.campaign_id is not null as is_linked,
        coalesce(performance.is_final, false) as is_final
    from performance
    full outer join measured
        on performance.stat_date = measured.stat_date
        and performance.medium = measured.medium
        and performance.campaign_id = measured.campaign_id
    left join claimed_types
        on performance.stat_date = claimed_types.stat_date
        and performance.medium = claimed_types.medium
        and performance.campaign_id = claimed_types.campaign_id
    left join linked_campaigns
        on coalesce(performance.medium, measured.medium) = linked_campaigns.medium
        and coalesce(performance.campaign_id, measured.campaign_id)
        = linked_campaigns.campaign_id

),

final as (

    select
        stat_date,
        medium,
        campaign_id,
        cast(claimed_conversions as {{ dbt.type_numeric() }}) as claimed_conversions,
        claimed_type,
        cast(applications as {{ dbt.type_bigint() }}) as applications,
        cast(measured_installs as {{ dbt.type_numeric() }}) as measured_installs,
        cast(measured_leads as {{ dbt.type_numeric() }}) as measured_leads,
        cast(measuring_media_count as {{ dbt.type_bigint() }}) as measuring_media_count,
        {{ ratio('claimed_conversions', 'applications') }} as claim_ratio,
        case
            when claimed_conversions = 0 and applications = 0 then 'nothing_to_compare'
            when claimed_type = 'install' then 'claims_installs'
            when not is_linked then 'campaign_not_linked'
            when applications = 0 then 'no_application_seen'
            when claimed_conversions = 0 then 'nothing_claimed'
            when claimed_conversions between applications * 0.9 and applications * 1.1 then 'agrees'
            when not is_final then 'still_restating'
            when claimed_conversions > applications then 'claims_more'
            else 'claims_less'
        end as gap_reason,
        is_final
    from compared

)

select * from final

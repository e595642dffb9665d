-- The marketing team's own name of a campaign leads to the campaign at the medium.
with campaigns as (

    select
        *,
        max(load_id) over (partition by campaign_internal_id) as newest_load_id
    from {{ ref('stg_app_db__campaigns_internal') }}

),

current_campaigns as (

    select
        campaign,
        medium,
        nullif(media_campaign_id, '') as media_campaign_id,
        load_id
    from campaigns
    where load_id = newest_load_id
        and not is_deleted
        and campaign is not null

),

final as (

    select
        campaign,
        -- two media or two campaigns for one name tell nothing
        case when count(distinct medium) = 1 then max(medium) end as medium,
        case
            when count(distinct medium) = 1 and count(distinct media_campaign_id) = 1
                then max(media_campaign_id)
        end as campaign_id,
        max(load_id) as load_id
    from current_campaigns
    group by campaign

)

select * from final

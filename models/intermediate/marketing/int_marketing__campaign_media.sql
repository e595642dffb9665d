with campaigns as (

    select
        *,
        max(load_id) over (partition by campaign_internal_id) as newest_load_id
    from {{ ref('stg_app_db__campaigns_internal') }}

),

current_campaigns as (

    select *
    from campaigns
    where load_id = newest_load_id
        and not is_deleted
        and campaign is not null

),

final as (

    select
        campaign,
        -- two media for one name tell nothing
        case when count(distinct medium) = 1 then max(medium) end as medium,
        cast(count(distinct medium) as {{ dbt.type_bigint() }}) as medium_count,
        max(load_id) as load_id
    from current_campaigns
    group by campaign

)

select * from final

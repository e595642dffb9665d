{{ replaces_days(
    'interest_date', changes='int_marketing__item_interest_changes',
    looked_up_by=['member_key', 'event_product_id'],
) }}
-- Grain: one row is an account's interest in an event product on a day.

-- only what somebody did while logged in: a device may be shared with who never agreed. Nor a view
-- of a day after its arrival: that day would become today, and make minors adults
with views as (

    select *
    from {{ ref('stg_app_events__events') }}
    where {{ in_days_to_replace('occurred_date', instant='occurred_at') }}
        and not is_deleted
        and not is_repeat
        and occurred_date <= {{ kst_date('received_at') }}
        and event_name = 'view_event_product'
        and member_key is not null
        and event_product_id is not null

),

leads as (

    select *
    from {{ ref('stg_app_db__event_leads') }}
    where {{ in_days_to_replace('created_date') }}
        and not is_deleted
        and not is_repeat
        and member_key is not null
        and event_product_id is not null

),

products as (

    select * from {{ ref('stg_app_db__event_products') }}

),

receptions as (

    select *
    from {{ ref('stg_app_db__receptions') }}
    where not is_deleted

),

statuses as (

    select * from {{ ref('reception_statuses') }}

),

-- a visit to the offer's clinic by who applied, in the ninety days after it
visited_leads as (

    select
        leads.event_lead_id,
        max(receptions.load_id) as load_id
    from leads
    inner join products on leads.event_product_id = products.event_product_id
    inner join receptions
        on leads.member_key = receptions.member_key
        and products.hospital_id = receptions.hospital_id
        and receptions.created_at >= leads.created_at
        and receptions.created_date <= {{ add_days('leads.created_date', 90) }}
    inner join statuses
        on lower(trim(receptions.source_status)) = statuses.source_status
        and statuses.status = 'completed'
    group by leads.event_lead_id

),

signs as (

    select
        occurred_date as interest_date,
        member_key,
        event_product_id,
        1 as view_count,
        0 as application_count,
        0 as booking_count,
        0 as visit_count,
        load_id
    from views
    union all
    select
        leads.created_date as interest_date,
        leads.member_key,
        leads.event_product_id,
        0 as view_count,
        1 as application_count,
        case when lower(trim(leads.source_status)) = 'booked' then 1 else 0 end as booking_count,
        case when visited_leads.event_lead_id is not null then 1 else 0 end as visit_count,
        greatest(leads.load_id, coalesce(visited_leads.load_id, 0)) as load_id
    from leads
    left join visited_leads on leads.event_lead_id = visited_leads.event_lead_id

),

final as (

    select
        interest_date,
        member_key,
        event_product_id,
        cast(sum(view_count) as {{ dbt.type_bigint() }}) as view_count,
        cast(sum(application_count) as {{ dbt.type_bigint() }}) as application_count,
        cast(sum(booking_count) as {{ dbt.type_bigint() }}) as booking_count,
        cast(sum(visit_count) as {{ dbt.type_bigint() }}) as visit_count,
        max(load_id) as load_id
    from signs
    group by interest_date, member_key, event_product_id

)

select * from final

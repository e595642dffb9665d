with receptions as (

    select *
    from {{ ref('stg_app_db__receptions') }}
    where not is_deleted

),

statuses as (

    select * from {{ ref('reception_statuses') }}

),

bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

completions as (

    select
        entity_id as reception_id,
        min(occurred_at) as completed_at,
        max(load_id) as load_id
    from {{ ref('stg_flow_events__events') }}
    where not is_deleted
        and entity = 'reception'
        and event_type = 'completed'
    group by entity_id

),

final as (

    select
        receptions.reception_id,
        receptions.member_key,
        receptions.hospital_id,

        nullif(bookings.campaign, '') as campaign,
        coalesce(completions.completed_at, receptions.completed_at) as completed_at,

        receptions.created_date,
        greatest(
            receptions.load_id, coalesce(completions.load_id, 0), coalesce(bookings.load_id, 0)
        ) as load_id
    from receptions
    inner join statuses
        on lower(trim(receptions.source_status)) = statuses.source_status
        and statuses.status = 'completed'
    left join completions on receptions.reception_id = completions.reception_id
    left join bookings on receptions.booking_id = bookings.booking_id

)

select * from final

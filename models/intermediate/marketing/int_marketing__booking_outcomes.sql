with bookings as (

    select *
    from {{ ref('stg_app_db__bookings') }}
    where not is_deleted

),

statuses as (

    select * from {{ ref('booking_statuses') }}

),

cancellations as (

    select
        entity_id as booking_id,
        event_type as status,
        min(occurred_at) as cancelled_at,
        max(load_id) as load_id
    from {{ ref('stg_flow_events__events') }}
    where not is_deleted
        and entity = 'booking'
        and event_type in ('cancelled_patient', 'cancelled_hospital')
    group by entity_id, event_type

),

final as (

    select
        bookings.booking_id,
        bookings.member_key,
        bookings.hospital_id,

        nullif(bookings.campaign, '') as campaign,
        statuses.status,
        coalesce(statuses.status in ('cancelled_patient', 'cancelled_hospital'), false)
            as is_cancelled,
        cancellations.cancelled_at,

        bookings.created_at,
        bookings.created_date,
        greatest(bookings.load_id, coalesce(cancellations.load_id, 0)) as load_id
    from bookings
    left join statuses on lower(trim(bookings.source_status)) = statuses.source_status
    left join cancellations
        on bookings.booking_id = cancellations.booking_id
        and statuses.status = cancellations.status

)

select * from final

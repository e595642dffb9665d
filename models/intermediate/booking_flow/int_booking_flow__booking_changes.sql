with bookings as (

    select
        *,
        {{ kst_date('slot_start_at') }} as slot_date
    from {{ ref('stg_app_db__bookings') }}

),

deliveries as (

    select * from {{ ref('stg_flow_events__events') }}
    where entity = 'booking'

),

reception_changes as (

    select * from {{ ref('int_booking_flow__reception_changes') }}

),

persons as (

    select * from {{ ref('int_booking_flow__persons') }}

),

moves as (

    select
        entity_id as booking_id,
        max(load_id) as load_id
    from deliveries
    where event_type = 'rescheduled'
    group by entity_id

),

-- raw doesn't keep where a booking that was moved lay before: any day since its request may be it
spans as (

    select
        bookings.booking_id,
        bookings.member_key,
        bookings.doctor_id,
        bookings.created_date,
        case
            when moves.booking_id is not null and bookings.created_date < bookings.slot_date
                then bookings.created_date
            else bookings.slot_date
        end as slot_from_date,
        case
            when moves.booking_id is null then bookings.slot_date
            else {{ add_days('bookings.created_date', 365) }}
        end as slot_to_date,
        bookings.load_id,
        greatest(bookings.load_id, coalesce(moves.load_id, 0)) as slot_load_id
    from bookings
    left join moves
        on bookings.booking_id = moves.booking_id

),

final as (

    select
        created_date,
        slot_from_date,
        slot_to_date,
        load_id
    from spans

    union all

    select
        spans.created_date,
        spans.slot_from_date,
        spans.slot_to_date,
        deliveries.load_id
    from deliveries
    inner join spans
        on deliveries.entity_id = spans.booking_id

    union all

    select
        spans.created_date,
        spans.slot_from_date,
        spans.slot_to_date,
        reception_changes.load_id
    from reception_changes
    inner join spans
        on reception_changes.booking_id = spans.booking_id

    union all

    select
        spans.created_date,
        spans.slot_from_date,
        spans.slot_to_date,
        persons.load_id
    from persons
    inner join spans
        on persons.member_key = spans.member_key

    union all

    -- whoever has a slot of the doctor's day may be double-booked since, or no more
    select
        bookings.created_date,
        bookings.slot_date as slot_from_date,
        bookings.slot_date as slot_to_date,
        spans.slot_load_id as load_id
    from spans
    inner join bookings
        on
        spans.doctor_id = bookings.doctor_id
        and bookings.slot_date between spans.slot_from_date and spans.slot_to_date

)

select * from final

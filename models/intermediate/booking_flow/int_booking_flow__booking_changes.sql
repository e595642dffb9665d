{{ config(materialized='table') }}
-- What the facts of bookings haven't seen as it is now. It is made anew each time, since only what
-- changed should be held against the other bookings of its doctor.
{% set seen = oldest_watermark('int_booking_flow__booking_changes') %}
{% set changed_ids %}
    select booking_id as id from {{ ref('stg_app_db__bookings') }} where load_id > {{ seen }}
    union all
    select entity_id as id from {{ ref('stg_flow_events__events') }}
    where entity = 'booking' and load_id > {{ seen }}
{% endset %}

with bookings as (

    select
        *,
        {{ kst_date('slot_start_at') }} as slot_date
    from {{ ref('stg_app_db__bookings') }}
    where {{ seen > 0 }}

),

deliveries as (

    select * from {{ ref('stg_flow_events__events') }}
    where entity = 'booking' and {{ among_ids('entity_id', changed_ids) if seen else 'false' }}

),

reception_changes as (

    select * from {{ ref('int_booking_flow__reception_changes') }}
    where load_id > {{ seen }}

),

persons as (

    select * from {{ ref('int_core__persons') }}
    where load_id > {{ seen }}

),

moves as (

    select entity_id as booking_id
    from deliveries
    where event_type = 'rescheduled'
    group by entity_id

),

changed as (

    select
        booking_id,
        load_id
    from bookings
    where load_id > {{ seen }}

    union distinct

    select
        entity_id as booking_id,
        load_id
    from deliveries
    where load_id > {{ seen }}

),

-- raw doesn't keep where a booking that was moved lay before: any day since its request may be it
spans as (

    select
        bookings.created_date,
        bookings.doctor_id,
        case
            when moves.booking_id is not null and bookings.created_date < bookings.slot_date
                then bookings.created_date
            else bookings.slot_date
        end as slot_from_date,
        case
            when moves.booking_id is null then bookings.slot_date
            else {{ add_days('bookings.created_date', 365) }}
        end as slot_to_date,
        changed.load_id
    from changed
    inner join bookings
        on changed.booking_id = bookings.booking_id
    left join moves
        on changed.booking_id = moves.booking_id

),

final as (

    select
        created_date,
        slot_from_date,
        slot_to_date,
        load_id
    from spans

    union distinct

    select
        bookings.created_date,
        bookings.slot_date as slot_from_date,
        bookings.slot_date as slot_to_date,
        reception_changes.load_id
    from reception_changes
    inner join bookings
        on reception_changes.booking_id = bookings.booking_id

    union distinct

    select
        bookings.created_date,
        bookings.slot_date as slot_from_date,
        bookings.slot_date as slot_to_date,
        persons.load_id
    from persons
    inner join bookings
        on persons.member_key = bookings.member_key

    union distinct

    -- whoever has a slot of the doctor's day may be double-booked since, or no more
    select
        bookings.created_date,
        bookings.slot_date as slot_from_date,
        bookings.slot_date as slot_to_date,
        spans.load_id
    from spans
    inner join bookings
        on
        spans.doctor_id = bookings.doctor_id
        and bookings.slot_date between spans.slot_from_date and spans.slot_to_date

)

select * from final

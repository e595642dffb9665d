with bookings as (

    select
        *,
        {{ kst_date('slot_start_at') }} as slot_date
    from {{ ref('stg_app_db__bookings') }}
    -- a slot before its booking was made is a mistake, and takes nobody's time
    where not is_deleted and slot_start_at >= created_at

),

statuses as (

    select * from {{ ref('booking_statuses') }}

),

taken_slots as (

    select
        bookings.booking_id,
        bookings.created_date,
        bookings.doctor_id,
        bookings.slot_date,
        bookings.slot_start_at,
        bookings.slot_end_at,
        bookings.load_id
    from bookings
    left join statuses
        on lower(trim(bookings.source_status)) = statuses.source_status
    where coalesce(statuses.fhir_slot_status, 'busy') <> 'free'

),

final as (

    select
        taken_slots.booking_id,
        taken_slots.created_date,
        count(*) as overlap_count,
        max(others.load_id) as load_id
    from taken_slots
    inner join taken_slots as others
        on
        taken_slots.doctor_id = others.doctor_id
        and taken_slots.slot_date = others.slot_date
        and taken_slots.booking_id <> others.booking_id
        and taken_slots.slot_start_at < others.slot_end_at
        and taken_slots.slot_end_at > others.slot_start_at
    group by taken_slots.booking_id, taken_slots.created_date

)

select * from final

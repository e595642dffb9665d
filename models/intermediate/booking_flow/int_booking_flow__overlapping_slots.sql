with taken_slots as (

    select * from {{ ref('int_booking_flow__taken_slots') }}

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

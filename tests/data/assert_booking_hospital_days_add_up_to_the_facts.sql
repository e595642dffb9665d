-- Clinics' days hold every booking that has a slot's day, every request, reception and block, once.
with days as (

    select
        sum(slot_bookings) as slot_bookings,
        sum(completed_bookings) as completed_bookings,
        sum(no_show_bookings) as no_show_bookings,
        sum(double_booked_slots) as double_booked_slots,
        sum(requested_bookings) as requested_bookings,
        sum(receptions) as receptions,
        sum(auto_cancelled_receptions) as auto_cancelled_receptions,
        sum(reception_blocked_people) as reception_blocked_people
    from {{ ref('fct_booking_hospital_daily') }}

),

bookings as (

    select
        count(slot_date) as slot_bookings,
        sum(case when is_completed and slot_date is not null then 1 else 0 end)
            as completed_bookings,
        sum(case when is_no_show and slot_date is not null then 1 else 0 end) as no_show_bookings,
        sum(case when is_double_booked and slot_date is not null then 1 else 0 end)
            as double_booked_slots,
        count(*) as requested_bookings
    from {{ ref('fct_bookings') }}
    where hospital_id is not null

),

receptions as (

    select
        count(*) as receptions,
        sum(case when is_auto_cancelled then 1 else 0 end) as auto_cancelled_receptions
    from {{ ref('fct_receptions') }}
    where hospital_id is not null

),

penalties as (

    select sum(case when penalty_type = 'reception' then 1 else 0 end) as reception_blocked_people
    from {{ ref('int_booking_flow__penalties') }}

)

select
    days.*,
    bookings.slot_bookings as expected_slot_bookings,
    receptions.receptions as expected_receptions
from days
-- one row each
cross join bookings
cross join receptions
cross join penalties
where
    coalesce(days.slot_bookings, 0) <> bookings.slot_bookings
    or coalesce(days.completed_bookings, 0) <> coalesce(bookings.completed_bookings, 0)
    or coalesce(days.no_show_bookings, 0) <> coalesce(bookings.no_show_bookings, 0)
    or coalesce(days.double_booked_slots, 0) <> coalesce(bookings.double_booked_slots, 0)
    or coalesce(days.requested_bookings, 0) <> bookings.requested_bookings
    or coalesce(days.receptions, 0) <> receptions.receptions
    or coalesce(days.auto_cancelled_receptions, 0)
    <> coalesce(receptions.auto_cancelled_receptions, 0)
    or coalesce(days.reception_blocked_people, 0)
    <> coalesce(penalties.reception_blocked_people, 0)

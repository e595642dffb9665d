-- A missed booking may be the last of three for as long as they are counted together.
with booking_changes as (

    select * from {{ ref('int_booking_flow__booking_changes') }}

),

reception_changes as (

    select * from {{ ref('int_booking_flow__reception_changes') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

spans as (

    select
        slot_from_date,
        {{ add_days('slot_to_date', 90) }} as slot_to_date,
        load_id
    from booking_changes
    group by slot_from_date, slot_to_date, load_id

),

final as (

    select
        dates.calendar_date as penalty_date,
        spans.load_id
    from spans
    inner join dates
        on dates.calendar_date between spans.slot_from_date and spans.slot_to_date

    union all

    select
        created_date as penalty_date,
        load_id
    from reception_changes

)

select * from final

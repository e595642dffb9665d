-- A day of a clinic changes with its bookings, receptions and penalties, the clock, and its hours.
with booking_changes as (

    select * from {{ ref('int_booking_flow__booking_changes') }}

),

-- these name the days of slots and visits, too
penalty_changes as (

    select * from {{ ref('int_booking_flow__penalty_changes') }}

),

data_days as (

    select * from {{ ref('int_booking_flow__data_days') }}

),

-- a release may leave a clinic out, so any row of it concerns all
releases as (

    select max(load_id) as load_id
    from {{ ref('stg_hira_registry__details') }}

),

opening_hours as (

    select
        hospital_id,
        load_id
    from {{ ref('int_core__opening_hours') }}
    union all
    select
        hospital_id,
        load_id
    from {{ ref('stg_app_db__doctors') }}

),

bookings as (

    select
        hospital_id,
        {{ kst_date('slot_start_at') }} as stat_date
    from {{ ref('stg_app_db__bookings') }}
    group by hospital_id, {{ kst_date('slot_start_at') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

final as (

    select
        created_date as stat_date,
        load_id
    from booking_changes
    union all
    select
        penalty_date as stat_date,
        load_id
    from penalty_changes
    union all
    -- slots of what was the last day are past once the data go on
    select
        dates.calendar_date as stat_date,
        data_days.load_id
    from data_days
    inner join dates
        on dates.calendar_date between data_days.prior_date and data_days.created_date
    union all
    select
        bookings.stat_date,
        opening_hours.load_id
    from opening_hours
    inner join bookings
        on opening_hours.hospital_id = bookings.hospital_id
    union all
    select
        bookings.stat_date,
        releases.load_id
    from releases
    -- one row
    cross join bookings

)

select * from final

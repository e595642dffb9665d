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
        *,
        {{ kst_date('slot_start_at') }} as slot_date
    from {{ ref('stg_app_db__bookings') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

-- a day has its clinic's hours even if nobody had a slot on it
clinic_days as (

    select
        hospital_id,
        slot_date as stat_date
    from bookings

    union distinct

    select
        hospital_id,
        created_date as stat_date
    from bookings

    union distinct

    select
        hospital_id,
        created_date as stat_date
    from receptions

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
        clinic_days.stat_date,
        opening_hours.load_id
    from opening_hours
    inner join clinic_days
        on opening_hours.hospital_id = clinic_days.hospital_id
    union all
    select
        clinic_days.stat_date,
        releases.load_id
    from releases
    -- one row
    cross join clinic_days

)

select * from final

with opening_hours as (

    select * from {{ ref('int_core__opening_hours') }}

),

doctors as (

    select
        hospital_id,
        sum(case when is_active and not is_deleted then 1 else 0 end) as doctor_count,
        max(load_id) as load_id
    from {{ ref('stg_app_db__doctors') }}
    group by hospital_id

),

dates as (

    select * from {{ ref('dim_dates') }}

),

final as (

    select
        opening_hours.hospital_id,
        dates.calendar_date as opening_date,
        opening_hours.opens_minute,
        opening_hours.closes_minute,
        opening_hours.lunch_from_minute,
        opening_hours.lunch_to_minute,
        doctors.doctor_count * (
            opening_hours.closes_minute - opening_hours.opens_minute
            - coalesce(opening_hours.lunch_to_minute - opening_hours.lunch_from_minute, 0)
        ) as open_minutes,
        greatest(opening_hours.load_id, doctors.load_id) as load_id
    from opening_hours
    inner join dates
        on opening_hours.weekday = dates.iso_weekday
    inner join doctors
        on opening_hours.hospital_id = doctors.hospital_id
    where not dates.is_holiday or opening_hours.is_open_on_holidays

)

select * from final

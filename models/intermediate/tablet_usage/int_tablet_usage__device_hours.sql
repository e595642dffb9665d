with devices as (

    select * from {{ ref('dim_devices') }}

),

weekdays as (

    select * from {{ ref('dim_dates') }}
    where calendar_date between cast('2024-01-01' as date) and cast('2024-01-07' as date)

),

opening_hours as (

    select * from {{ ref('int_core__opening_hours') }}

),

dated as (

    select
        device_id,
        version_no,
        hospital_id,
        {{ kst_date('valid_from_at') }} as first_date,
        {{ kst_date('valid_to_at') }} as end_date,
        lead({{ kst_date('valid_from_at') }}) over (
            partition by device_id order by version_no nulls last
        ) as next_date
    from devices

),

-- a day on which the device is carried from one clinic to another is the new clinic's
final as (

    select
        dated.device_id,
        dated.version_no,
        weekdays.iso_weekday,
        dated.hospital_id,
        dated.first_date,
        case
            when dated.next_date <= dated.end_date then {{ add_days('dated.next_date', -1) }}
            else coalesce(dated.end_date, cast('9999-12-31' as date))
        end as last_date,
        opening_hours.opens_minute,
        opening_hours.closes_minute,
        coalesce(opening_hours.is_open_on_holidays, false) as is_open_on_holidays
    from dated
    cross join weekdays
    left join opening_hours
        on
        dated.hospital_id = opening_hours.hospital_id
        and weekdays.iso_weekday = opening_hours.weekday

)

select * from final

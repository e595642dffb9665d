{# activation looks a week ahead, and who stopped looks eight weeks back #}
{% set weeks = range(-1, 9) %}

with reception_changes as (

    select * from {{ ref('int_booking_flow__reception_changes') }}

),

device_day_changes as (

    select * from {{ ref('int_tablet_usage__device_day_changes') }}

),

emr_sync_changes as (

    select * from {{ ref('int_tablet_usage__emr_sync_changes') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

changes as (

    select
        created_date as changed_date,
        load_id
    from reception_changes

    union all

    -- those of sessions and stays are among them
    select
        activity_date as changed_date,
        load_id
    from device_day_changes

    union all

    select
        sync_date as changed_date,
        load_id
    from emr_sync_changes

),

changed_weeks as (

    select
        dates.week_start_date as changed_week_date,
        changes.load_id
    from changes
    inner join dates
        on changes.changed_date = dates.calendar_date
    group by dates.week_start_date, changes.load_id

),

final as (

    {% for week in weeks %}
        select
            {{ add_days('changed_week_date', 7 * week) }} as week_start_date,
            load_id
        from changed_weeks
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from final

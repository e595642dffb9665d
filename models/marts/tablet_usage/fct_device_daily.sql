{{ replaces_days(
    'activity_date', changes='int_tablet_usage__device_day_changes',
    looked_up_by=['hospital_id', 'device_id'],
) }}
-- One row is a device on a Korean calendar day on which it reported, crashed or served a visitor.
-- Rates and averages aren't additive over rows.
{% set open_minutes = '(placed_days.closes_minute - placed_days.opens_minute)' %}
{% set up_minutes = '(case when placed_days.opens_minute is not null '
    ~ 'then coalesce(heartbeat_days.uptime_minutes, 0) end)' %}

with heartbeats as (

    select
        *,
        -- it stands until the next one comes or is due
        least(
            reported_minute + {{ var('heartbeat_interval_minutes') }},
            lead(reported_minute, 1, 1440) over device_days
        ) as until_minute,
        case when lead(sent_at) over device_days is null then app_version end as last_app_version
    from {{ ref('int_tablet_usage__heartbeats_flagged') }}
    where {{ in_days_to_replace('activity_date') }}
        -- a clock that is ahead sends on the day after
        and {{ in_days_to_replace('sent_date', instant='sent_at', days_after=1) }}
    window device_days as (
        partition by device_id, activity_date order by reported_at nulls last, sent_at nulls last
    )

),

crashes as (

    select * from {{ ref('stg_clinic_devices__crashes') }}
    where not is_deleted and not is_repeat
        and {{ in_days_to_replace('occurred_date', instant='occurred_at') }}

),

session_days as (

    select * from {{ ref('int_tablet_usage__session_days') }}
    where {{ in_days_to_replace('activity_date') }}

),

device_hours as (

    select * from {{ ref('int_tablet_usage__device_hours') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

crash_days as (

    select
        device_id,
        occurred_date as activity_date,
        count(*) as crash_count,
        max(load_id) as load_id
    from crashes
    group by device_id, occurred_date

),

activities as (

    {% for activity in ['heartbeats', 'crash_days', 'session_days'] %}
        select
            device_id,
            activity_date,
            load_id
        from {{ activity }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

device_days as (

    select
        device_id,
        activity_date,
        max(load_id) as load_id
    from activities
    group by device_id, activity_date

),

placed_days as (

    select
        device_days.device_id,
        device_days.activity_date,
        device_hours.hospital_id,
        device_hours.opens_minute,
        -- on a public holiday most clinics close before they open
        case
            when dates.is_holiday and not device_hours.is_open_on_holidays
                then device_hours.opens_minute
            else device_hours.closes_minute
        end as closes_minute,
        device_days.load_id
    from device_days
    left join dates
        on device_days.activity_date = dates.calendar_date
    left join device_hours
        on
        device_days.device_id = device_hours.device_id
        and dates.iso_weekday = device_hours.iso_weekday
        and device_days.activity_date between device_hours.first_date and device_hours.last_date

),

heartbeat_days as (

    select
        heartbeats.device_id,
        heartbeats.activity_date,
        count(*) as heartbeat_count,
        sum(
            case
                when
                    heartbeats.reported_minute < placed_days.closes_minute
                    and heartbeats.until_minute > placed_days.opens_minute
                    then
                        least(heartbeats.until_minute, placed_days.closes_minute)
                        - greatest(heartbeats.reported_minute, placed_days.opens_minute)
            end
        ) as uptime_minutes,
        min(heartbeats.battery_pct) as min_battery_pct,
        sum(case when heartbeats.is_low_battery then 1 else 0 end) as low_battery_heartbeat_count,
        sum(case when heartbeats.is_late then 1 else 0 end) as late_heartbeat_count,
        sum(case when heartbeats.is_clock_ahead then 1 else 0 end) as clock_ahead_heartbeat_count,
        max(heartbeats.last_app_version) as last_app_version
    from heartbeats
    inner join placed_days
        on
        heartbeats.device_id = placed_days.device_id
        and heartbeats.activity_date = placed_days.activity_date
    group by heartbeats.device_id, heartbeats.activity_date

),

final as (

    select
        placed_days.device_id,
        placed_days.activity_date,
        placed_days.hospital_id,
        {% for counted in [
            'session_days.session_count', 'session_days.test_session_count',
            'session_days.submitted_session_count', 'session_days.abandoned_session_count',
            'heartbeat_days.heartbeat_count', 'heartbeat_days.low_battery_heartbeat_count',
            'heartbeat_days.late_heartbeat_count', 'heartbeat_days.clock_ahead_heartbeat_count',
            'crash_days.crash_count',
        ] %}
            cast(coalesce({{ counted }}, 0) as {{ dbt.type_bigint() }})
                as {{ counted.split('.')[1] }},
        {% endfor %}
        {{ ratio('session_days.abandoned_session_count', 'session_days.session_count') }}
            as abandonment_rate,
        {{ ratio('session_days.duration_seconds', 'session_days.timed_session_count') }}
            as average_duration_seconds,
        cast(session_days.median_duration_seconds as {{ dbt.type_bigint() }})
            as median_duration_seconds,
        placed_days.opens_minute is not null as opening_hours_known,
        cast({{ open_minutes }} as {{ dbt.type_bigint() }}) as opening_minutes,
        cast({{ up_minutes }} as {{ dbt.type_bigint() }}) as uptime_minutes,
        cast({{ open_minutes }} - {{ up_minutes }} as {{ dbt.type_bigint() }}) as offline_minutes,
        {{ ratio(up_minutes, open_minutes) }} as uptime_rate,
        heartbeat_days.min_battery_pct,
        heartbeat_days.last_app_version,
        placed_days.load_id
    from placed_days
    left join heartbeat_days
        on
        placed_days.device_id = heartbeat_days.device_id
        and placed_days.activity_date = heartbeat_days.activity_date
    left join crash_days
        on
        placed_days.device_id = crash_days.device_id
        and placed_days.activity_date = crash_days.activity_date
    left join session_days
        on
        placed_days.device_id = session_days.device_id
        and placed_days.activity_date = session_days.activity_date

)

select * from final

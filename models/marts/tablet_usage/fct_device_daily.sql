{{ replaces_days(
    'activity_date', changes='int_tablet_usage__device_day_changes',
    looked_up_by=['device_id'],
) }}
-- One row is a device on a Korean calendar day on which it reported, crashed or served a visitor.
-- Rates and averages aren't additive over rows.

with heartbeats as (

    select
        *,
        row_number() over (
            partition by device_id, activity_date
            order by sent_at desc nulls last
        ) = 1 as is_last_of_day
    from {{ ref('int_tablet_usage__heartbeats_flagged') }}
    where {{ in_days_to_replace('activity_date', instant='sent_at') }}

),

crashes as (

    select
        device_id,
        occurred_date as activity_date,
        load_id
    from {{ ref('stg_clinic_devices__crashes') }}
    where not is_deleted and not is_repeat
        and {{ in_days_to_replace('occurred_date', instant='occurred_at') }}

),

sessions as (

    select
        device_id,
        session_date as activity_date,
        is_submitted,
        is_abandoned,
        duration_seconds,
        is_test,
        load_id
    from {{ ref('int_tablet_usage__sessions_judged') }}
    where {{ in_days_to_replace('session_date') }}

),

heartbeat_days as (

    select
        device_id,
        activity_date,
        count(*) as heartbeat_count,
        60 * count(distinct case when sent_hour between 9 and 17 then sent_hour end)
            as uptime_minutes,
        min(battery_pct) as min_battery_pct,
        sum(case when is_low_battery then 1 else 0 end) as low_battery_heartbeat_count,
        sum(case when is_late then 1 else 0 end) as late_heartbeat_count,
        sum(case when is_clock_ahead then 1 else 0 end) as clock_ahead_heartbeat_count,
        max(case when is_last_of_day then app_version end) as last_app_version,
        max(load_id) as load_id
    from heartbeats
    group by device_id, activity_date

),

crash_days as (

    select
        device_id,
        activity_date,
        count(*) as crash_count,
        max(load_id) as load_id
    from crashes
    group by device_id, activity_date

),

session_days as (

    select
        device_id,
        activity_date,
        sum(case when not is_test then 1 else 0 end) as session_count,
        sum(case when is_test then 1 else 0 end) as test_session_count,
        sum(case when not is_test and is_submitted then 1 else 0 end) as submitted_session_count,
        sum(case when not is_test and is_abandoned then 1 else 0 end) as abandoned_session_count,
        sum(case when not is_test then duration_seconds end) as duration_seconds,
        count(case when not is_test then duration_seconds end) as timed_session_count,
        max(load_id) as load_id
    from sessions
    group by device_id, activity_date

),

activities as (

    select
        device_id,
        activity_date,
        load_id
    from heartbeat_days

    union all

    select
        device_id,
        activity_date,
        load_id
    from crash_days

    union all

    select
        device_id,
        activity_date,
        load_id
    from session_days

),

device_days as (

    select
        device_id,
        activity_date,
        max(load_id) as load_id
    from activities
    group by device_id, activity_date

),

final as (

    select
        device_days.device_id,
        device_days.activity_date,
        {% for counted in [
            'session_days.session_count', 'session_days.test_session_count',
            'session_days.submitted_session_count', 'session_days.abandoned_session_count',
            'heartbeat_days.heartbeat_count', 'heartbeat_days.low_battery_heartbeat_count',
            'heartbeat_days.late_heartbeat_count', 'heartbeat_days.clock_ahead_heartbeat_count',
            'heartbeat_days.uptime_minutes', 'crash_days.crash_count',
        ] %}
            cast(coalesce({{ counted }}, 0) as {{ dbt.type_bigint() }})
                as {{ counted.split('.')[1] }},
        {% endfor %}
        {{ ratio('session_days.abandoned_session_count', 'session_days.session_count') }}
            as abandonment_rate,
        {{ ratio('session_days.duration_seconds', 'session_days.timed_session_count') }}
            as average_duration_seconds,
        {{ ratio('coalesce(heartbeat_days.uptime_minutes, 0)', '9 * 60') }} as uptime_rate,
        heartbeat_days.min_battery_pct,
        heartbeat_days.last_app_version,
        device_days.load_id
    from device_days
    left join heartbeat_days
        on
        device_days.device_id = heartbeat_days.device_id
        and device_days.activity_date = heartbeat_days.activity_date
    left join crash_days
        on
        device_days.device_id = crash_days.device_id
        and device_days.activity_date = crash_days.activity_date
    left join session_days
        on
        device_days.device_id = session_days.device_id
        and device_days.activity_date = session_days.activity_date

)

select * from final

{{ replaces_days(
    'session_date', changes='int_tablet_usage__screen_changes',
    looked_up_by=['hospital_id', 'screen', 'session_id'],
) }}
-- One row is a screen of a session: how long the visitor stayed there, and what happened.

with visits as (

    select * from {{ ref('stg_clinic_devices__screens') }}
    where not is_deleted and not is_repeat
        -- a session that begins before midnight goes on after it
        and {{ in_days_to_replace('entered_date', instant='entered_at', days_after=1) }}

),

sessions as (

    select * from {{ ref('int_tablet_usage__sessions_judged') }}
    where {{ in_days_to_replace('session_date') }}

),

devices as (

    select
        device_id,
        max(device_kind) as device_kind
    from {{ ref('dim_devices') }}
    group by device_id

),

followed as (

    select
        *,
        -- of a visit without an end the next one tells when it was over
        coalesce(
            left_at, lead(entered_at) over (partition by session_id order by visit_no nulls last)
        ) as gone_at
    from visits

),

timed as (

    select
        session_id,
        screen,
        entered_at,
        exit_kind,
        error_code,
        app_version,
        load_id,
        {{ seconds_between('entered_at', 'gone_at') }} as stay_seconds
    from followed

),

screens as (

    select
        session_id,
        screen,
        min(entered_at) as first_entered_at,
        count(*) as visit_count,
        -- a clock set back or a tablet left alone, not a visitor's time
        sum(case when stay_seconds between 0 and 1800 then stay_seconds end) as dwell_seconds,
        sum(case when exit_kind = 'back' then 1 else 0 end) as back_count,
        sum(case when exit_kind = 'error' then 1 else 0 end) as error_count,
        sum(case when exit_kind = 'timeout' then 1 else 0 end) as timeout_count,
        max(app_version) as app_version,
        max(load_id) as load_id
    from timed
    group by session_id, screen

),

final as (

    select
        screens.session_id,
        screens.screen,
        sessions.session_date,
        cast(
            case screens.screen
                when 'start' then 1
                when 'identify' then 2
                when 'consent' then 3
                when 'visit_reason' then 4
                when 'submit' then 5
                when 'done' then 6
            end as {{ dbt.type_bigint() }}
        ) as screen_no,
        sessions.hospital_id,
        sessions.device_id,
        devices.device_kind,
        screens.app_version,
        sessions.visitor_kind,
        screens.first_entered_at,
        {% for counted in [
            'visit_count', 'dwell_seconds', 'back_count', 'error_count', 'timeout_count',
        ] %}
            cast(screens.{{ counted }} as {{ dbt.type_bigint() }}) as {{ counted }},
        {% endfor %}
        coalesce(screens.screen = sessions.last_screen, false) as is_last_screen,
        coalesce(screens.screen = sessions.last_screen and sessions.is_abandoned, false) as is_exit,
        sessions.is_test,
        case when screens.load_id > sessions.load_id then screens.load_id else sessions.load_id end
            as load_id
    from screens
    inner join sessions
        on screens.session_id = sessions.session_id
    left join devices
        on sessions.device_id = devices.device_id

)

select * from final

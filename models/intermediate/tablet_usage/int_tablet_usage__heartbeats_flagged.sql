with heartbeats as (

    select * from {{ ref('stg_clinic_devices__heartbeats') }}
    where not is_deleted and not is_repeat

),

clocked as (

    select
        *,
        coalesce({{ seconds_between('received_at', 'sent_at') }} > 60, false) as is_clock_ahead
    from heartbeats
    -- a clock that is days ahead tells nothing, and would be looked for among all later days
    where received_at is null or sent_date <= {{ add_days(kst_date('received_at'), 1) }}

),

-- nothing is received before it was sent: then the time of our servers is the better one
timed as (

    select
        *,
        case when is_clock_ahead then received_at else sent_at end as reported_at
    from clocked

),

final as (

    select
        device_id,
        sent_at,
        sent_date,
        received_at,
        reported_at,
        {{ kst_date('reported_at') }} as activity_date,
        cast(
            60 * extract(hour from {{ dbt.dateadd('hour', 9, 'reported_at') }})
            + extract(minute from reported_at) as {{ dbt.type_bigint() }}
        ) as reported_minute,
        battery_pct,
        app_version,
        coalesce(battery_pct < 20, false) as is_low_battery,
        -- received after the next one was due: it came in a burst after offline hours
        coalesce(
            {{ seconds_between('sent_at', 'received_at') }}
            > 60 * {{ var('heartbeat_interval_minutes') }},
            false
        ) as is_late,
        is_clock_ahead,
        load_id
    from timed

)

select * from final

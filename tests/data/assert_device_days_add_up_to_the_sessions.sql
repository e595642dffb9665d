-- Each session stands in one device day: the two facts count the same sessions on each day.
with sessions as (

    select
        session_date as activity_date,
        count(*) as session_count
    from {{ ref('fct_tablet_sessions') }}
    group by session_date

),

device_days as (

    select
        activity_date,
        sum(session_count + test_session_count) as session_count
    from {{ ref('fct_device_daily') }}
    group by activity_date

)

select
    device_days.activity_date,
    device_days.session_count,
    sessions.session_count as expected_count
from device_days
-- full: a day may be missing on either side
full outer join sessions
    on device_days.activity_date = sessions.activity_date
where coalesce(device_days.session_count, 0) <> coalesce(sessions.session_count, 0)

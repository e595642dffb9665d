-- Each session whose screens were received stands in the fact with each of them, and none other.
with told as (

    select
        sessions.session_id,
        count(distinct visits.screen) as screen_count
    from {{ ref('stg_clinic_devices__screens') }} as visits
    inner join {{ ref('fct_tablet_sessions') }} as sessions
        on visits.session_id = sessions.session_id
    where not visits.is_deleted and not visits.is_repeat
    group by sessions.session_id

),

counted as (

    select
        session_id,
        count(*) as screen_count
    from {{ ref('fct_tablet_screens') }}
    group by session_id

)

select
    told.session_id,
    told.screen_count as expected_count,
    counted.screen_count
from told
-- full: a session may be missing on either side
full outer join counted
    on told.session_id = counted.session_id
where coalesce(told.screen_count, 0) <> coalesce(counted.screen_count, 0)

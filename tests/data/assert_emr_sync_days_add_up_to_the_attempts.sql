-- Each attempt to send a reception to a chart stands in one day of its clinic.
with attempts as (

    select
        sync_date,
        count(*) as attempt_count
    from {{ ref('int_tablet_usage__emr_syncs') }}
    where entity = 'reception' and not is_deleted and not is_repeat
    group by sync_date

),

days as (

    select
        sync_date,
        sum(attempt_count) as attempt_count
    from {{ ref('fct_emr_sync_daily') }}
    group by sync_date

)

select
    days.sync_date,
    days.attempt_count,
    attempts.attempt_count as expected_count
from days
-- full: a day may be missing on either side
full outer join attempts
    on days.sync_date = attempts.sync_date
where coalesce(days.attempt_count, 0) <> coalesce(attempts.attempt_count, 0)

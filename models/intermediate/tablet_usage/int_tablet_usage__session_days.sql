with sessions as (

    select * from {{ ref('int_tablet_usage__sessions_judged') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by device_id, session_date, is_test order by duration_seconds nulls last
        ) as duration_rank,
        count(duration_seconds) over (partition by device_id, session_date, is_test) as timed_count
    from sessions

),

final as (

    select
        device_id,
        session_date as activity_date,
        sum(case when not is_test then 1 else 0 end) as session_count,
        sum(case when is_test then 1 else 0 end) as test_session_count,
        sum(case when not is_test and is_submitted then 1 else 0 end) as submitted_session_count,
        sum(case when not is_test and is_abandoned then 1 else 0 end) as abandoned_session_count,
        sum(case when not is_test then duration_seconds end) as duration_seconds,
        count(case when not is_test then duration_seconds end) as timed_session_count,
        min(case when not is_test and duration_rank * 2 >= timed_count then duration_seconds end)
            as median_duration_seconds,
        max(load_id) as load_id
    from ranked
    group by device_id, session_date

)

select * from final

{{ replaces_days(
    'occurred_date', changes='int_booking_flow__event_changes',
    looked_up_by=['event_log', 'hospital_id', 'from_activity', 'to_activity'],
) }}
-- One row is a transition of a log's cases at a hospital on a day: how often, how long, what again.

with events as (

    select * from {{ ref('fct_flow_events') }}
    where {{ in_days_to_replace('occurred_date') }}

),

ranked as (

    select
        event_log,
        hospital_id,
        occurred_date,
        prior_activity,
        activity,
        is_allowed,
        case_id,
        seconds_since_prior,
        case when is_rework then 1 else 0 end as rework_flag,
        load_id,
        row_number() over (
            partition by event_log, hospital_id, occurred_date, prior_activity, activity
            order by seconds_since_prior nulls last, event_id nulls last
        ) as rank_no,
        count(seconds_since_prior) over (
            partition by event_log, hospital_id, occurred_date, prior_activity, activity
        ) as timed_count
    from events

),

summed as (

    select
        event_log,
        hospital_id,
        occurred_date,
        prior_activity as from_activity,
        activity as to_activity,
        is_allowed,
        count(*) as transition_count,
        count(distinct case_id) as case_count,
        sum(rework_flag) as rework_count,
        sum(seconds_since_prior) as total_seconds,
        min(case when rank_no * 2 >= timed_count then seconds_since_prior end) as p50_seconds,
        min(case when rank_no * 10 >= timed_count * 9 then seconds_since_prior end)
            as p90_seconds,
        max(load_id) as load_id
    from ranked
    group by event_log, hospital_id, occurred_date, prior_activity, activity, is_allowed

),

final as (

    select
        -- the hospital may be unknown, and no key has a part that is null
        {{ surrogate_key([
            'event_log', 'hospital_id', 'occurred_date', 'from_activity', 'to_activity',
        ]) }} as flow_transition_key,
        event_log,
        hospital_id,
        occurred_date,
        from_activity,
        to_activity,
        is_allowed,
        cast(transition_count as {{ dbt.type_bigint() }}) as transition_count,
        cast(case_count as {{ dbt.type_bigint() }}) as case_count,
        cast(rework_count as {{ dbt.type_bigint() }}) as rework_count,
        cast(total_seconds as {{ dbt.type_bigint() }}) as total_seconds,
        p50_seconds,
        p90_seconds,
        load_id
    from summed

)

select * from final

{{ replaces_days(
    'week_start_date', changes='int_tablet_usage__hospital_week_changes',
    looked_up_by=['hospital_id'],
) }}

with dates as (

    select * from {{ ref('dim_dates') }}
    where {{ in_days_to_replace('week_start_date') }}

),

sessions as (

    select * from {{ ref('fct_tablet_sessions') }}
    where not is_test and {{ in_days_to_replace('session_date', days_after=6) }}

),

ranked as (

    select
        sessions.*,
        dates.week_start_date,
        row_number() over hospital_weeks as lag_rank,
        count(sessions.emr_lag_seconds) over (
            partition by sessions.hospital_id, dates.week_start_date
        ) as lag_count
    from sessions
    inner join dates
        on sessions.session_date = dates.calendar_date
    window hospital_weeks as (
        partition by sessions.hospital_id, dates.week_start_date
        order by sessions.emr_lag_seconds nulls last
    )

),

device_weeks as (

    select
        hospital_id,
        week_start_date,
        device_id,
        count(*) as session_count,
        sum(case when is_submitted then 1 else 0 end) as submitted_session_count,
        sum(case when is_abandoned then 1 else 0 end) as abandoned_session_count,
        sum(case when visitor_kind = 'new' then 1 else 0 end) as new_visitor_session_count,
        sum(case when visitor_kind = 'return' then 1 else 0 end) as returning_session_count,
        min(case when lag_rank * 2 >= lag_count then emr_lag_seconds end) as p50_emr_lag_seconds,
        min(case when lag_rank * 20 >= lag_count * 19 then emr_lag_seconds end)
            as p95_emr_lag_seconds,
        max(load_id) as load_id
    from ranked
    group by hospital_id, week_start_date, device_id

),

final as (

    select
        hospital_id,
        week_start_date,
        cast(
            sum(case when submitted_session_count >= 10 then 1 else 0 end)
            as {{ dbt.type_bigint() }}
        ) as active_device_count,
        {% for counted in [
            'session_count', 'submitted_session_count', 'abandoned_session_count',
            'new_visitor_session_count', 'returning_session_count',
        ] %}
            cast(sum({{ counted }}) as {{ dbt.type_bigint() }}) as {{ counted }},
        {% endfor %}
        min(p50_emr_lag_seconds) as p50_emr_lag_seconds,
        min(p95_emr_lag_seconds) as p95_emr_lag_seconds,
        max(load_id) as load_id
    from device_weeks
    group by hospital_id, week_start_date

)

select * from final

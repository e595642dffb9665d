{{ replaces_days(
    'month_start_date', changes='int_booking_flow__event_month_changes',
    looked_up_by=['event_log', 'variant_key'],
) }}
-- One row is a variant of a log in the month of its cases' last events: which ways the cases took.

with events as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'occurred_date') }} as date) as month_start_date
    from {{ ref('fct_flow_events') }}
    where {{ in_days_to_replace('occurred_date', days_after=30) }}

),

cases as (

    select
        event_log,
        month_start_date,
        case_id,
        case_variant as variant,
        sequence_no as activity_count,
        is_conforming,
        is_terminal,
        case_rework_count,
        case_seconds,
        load_id
    from events
    where is_last and {{ in_days_to_replace('month_start_date') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by event_log, month_start_date, variant
            order by case_seconds nulls last, case_id nulls last
        ) as rank_no,
        count(*) over (partition by event_log, month_start_date, variant) as ranked_count
    from cases

),

summed as (

    select
        event_log,
        month_start_date,
        variant,
        activity_count,
        is_conforming,
        is_terminal,
        {{ surrogate_key(['event_log', 'variant']) }} as variant_key,
        count(*) as case_count,
        sum(case when case_rework_count > 0 then 1 else 0 end) as rework_case_count,
        min(case when rank_no * 2 >= ranked_count then case_seconds end) as p50_case_seconds,
        min(case when rank_no * 10 >= ranked_count * 9 then case_seconds end) as p90_case_seconds,
        max(load_id) as load_id
    from ranked
    group by
        event_log, month_start_date, variant, activity_count, is_conforming, is_terminal

),

placed as (

    select
        *,
        row_number() over most_frequent_first as rank_in_month,
        sum(case_count) over (
            most_frequent_first rows between unbounded preceding and current row
        ) as covered_count,
        sum(case_count) over (partition by event_log, month_start_date) as log_case_count,
        -- another variant's case alters shares and ranks
        max(load_id) over (partition by event_log, month_start_date) as log_load_id
    from summed
    window
        most_frequent_first as (
            partition by event_log, month_start_date
            order by case_count desc nulls last, variant_key asc nulls last
        )

),

final as (

    select
        event_log,
        month_start_date,
        variant_key,
        variant,
        activity_count,
        cast(rank_in_month as {{ dbt.type_bigint() }}) as rank_in_month,
        cast(case_count as {{ dbt.type_bigint() }}) as case_count,
        {{ ratio('case_count', 'log_case_count') }} as case_share_rate,
        {{ ratio('covered_count', 'log_case_count') }} as coverage_rate,
        is_conforming,
        -- of one variant all cases end alike, and of some logs nobody knows what an end is
        cast(
            case when is_terminal then case_count when not is_terminal then 0 end
            as {{ dbt.type_bigint() }}
        ) as completed_case_count,
        cast(
            case when is_terminal then 0 when not is_terminal then case_count end
            as {{ dbt.type_bigint() }}
        ) as open_case_count,
        cast(rework_case_count as {{ dbt.type_bigint() }}) as rework_case_count,
        p50_case_seconds,
        p90_case_seconds,
        log_load_id as load_id
    from placed

)

select * from final

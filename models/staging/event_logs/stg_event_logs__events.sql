with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('occurred_at') }} as occurred_date,
        -- no two engines write an instant alike, and keys are made of text
        cast(
            {{ dbt.datediff("cast('2000-01-01' as timestamp)", 'occurred_at', 'microsecond') }}
            as {{ dbt.type_bigint() }}
        ) as occurred_microsecond
    from {{ source('raw_event_logs', 'events') }}

),

renamed as (

    select
        event_log,
        case_id,
        trim(activity) as activity,
        {{ surrogate_key([
            'event_log', 'case_id', 'trim(activity)', 'occurred_microsecond', 'tie_breaker',
        ]) }} as event_id,

        -- where the log doesn't order events of one instant, the lines of its file do
        coalesce(tie_breaker, _line) as tie_breaker,
        occurred_at,
        occurred_date,

        is_deleted,
        not is_deleted and row_number() over (
            partition by
                event_log, case_id, trim(activity), occurred_at, occurred_date, tie_breaker,
                is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        -- where a log tells starts and ends of an activity, the end is the step
        coalesce(case_id, '') <> ''
        and trim(activity) <> ''
        and coalesce(lower(trim(lifecycle)), '') in ('', 'complete') as is_step,
        _file as source_file,
        _line as source_line,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

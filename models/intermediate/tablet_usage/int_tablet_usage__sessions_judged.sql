with sessions as (

    select * from {{ ref('stg_app_db__tablet_sessions') }}

),

-- the data's own clock: the last day on which any session changed, never the day of the run
clock as (

    select max(updated_date) as latest_date
    from sessions

),

judged as (

    select
        sessions.session_id,
        sessions.session_date,
        sessions.device_id,
        sessions.hospital_id,
        sessions.member_key,
        sessions.reception_id,
        sessions.visitor_kind,
        sessions.last_screen,
        sessions.is_test,
        sessions.started_at,
        sessions.ended_at,
        case
            when sessions.end_reason is not null then sessions.end_reason
            when sessions.session_date < clock.latest_date then 'abandoned_timeout'
            else 'open'
        end as outcome,
        {{ seconds_between('sessions.started_at', 'sessions.ended_at') }} as elapsed_seconds,
        sessions.load_id
    from sessions
    -- one row, so that each session sees the clock
    cross join clock
    where not sessions.is_deleted

),

final as (

    select
        session_id,
        session_date,
        device_id,
        hospital_id,
        member_key,
        reception_id,
        visitor_kind,
        last_screen,
        outcome,
        outcome in ('submitted', 'emr_acked') as is_submitted,
        outcome in ('abandoned_timeout', 'abandoned_back') as is_abandoned,
        is_test,
        started_at,
        ended_at,
        -- a tablet left alone or a clock set back, not a visitor's time
        case when elapsed_seconds between 0 and 1800 then elapsed_seconds end as duration_seconds,
        load_id
    from judged

)

select * from final

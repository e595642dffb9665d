with sessions as (

    select * from {{ ref('stg_app_db__tablet_sessions') }}

),

syncs as (

    select * from {{ ref('int_tablet_usage__emr_syncs') }}
    where entity = 'reception'

),

never_ended_days as (

    select session_date
    from sessions
    where end_reason is null
    group by session_date

),

days_seen as (

    select
        updated_date,
        min(load_id) as load_id
    from sessions
    group by updated_date

),

final as (

    select
        session_date,
        load_id
    from sessions

    union all

    select
        sessions.session_date,
        syncs.load_id
    from syncs
    inner join sessions
        on syncs.entity_id = sessions.reception_id

    union all

    -- a session without an end stops being open with the first load that brings a later day
    select
        never_ended_days.session_date,
        min(days_seen.load_id) as load_id
    from never_ended_days
    inner join days_seen
        on never_ended_days.session_date < days_seen.updated_date
    group by never_ended_days.session_date

)

select * from final

{{ replaces_days(
    'session_date', changes='int_tablet_usage__session_changes',
    looked_up_by=['hospital_id', 'device_id', 'session_id'],
) }}
-- One row is one visitor's session at a tablet or kiosk.

with sessions as (

    select * from {{ ref('int_tablet_usage__sessions_judged') }}
    where {{ in_days_to_replace('session_date') }}

),

syncs as (

    select * from {{ ref('int_tablet_usage__emr_syncs') }}
    where not is_deleted and entity = 'reception'

),

first_syncs as (

    select
        sessions.session_id,
        min(
            case
                when syncs.is_success and syncs.finished_at >= syncs.started_at
                    then syncs.finished_at
            end
        ) as synced_at,
        max(syncs.load_id) as load_id
    from syncs
    inner join sessions
        on syncs.entity_id = sessions.reception_id
    group by sessions.session_id

),

final as (

    select
        sessions.session_id,
        sessions.session_date,
        cast(
            extract(hour from {{ dbt.dateadd('hour', 9, 'sessions.started_at') }})
            as {{ dbt.type_bigint() }}
        ) as session_hour,
        sessions.device_id,
        sessions.hospital_id,
        sessions.member_key,
        sessions.reception_id,
        sessions.visitor_kind,
        sessions.outcome,
        sessions.last_screen,
        sessions.started_at,
        sessions.ended_at,
        cast(sessions.duration_seconds as {{ dbt.type_bigint() }}) as duration_seconds,
        cast(
            case
                -- the chart may have the reception before the visitor closes the last screen
                when first_syncs.synced_at between sessions.started_at and sessions.ended_at then 0
                when first_syncs.synced_at > sessions.ended_at
                    then {{ seconds_between('sessions.ended_at', 'first_syncs.synced_at') }}
            end as {{ dbt.type_bigint() }}
        ) as emr_lag_seconds,
        sessions.is_submitted,
        sessions.is_abandoned,
        sessions.is_test,
        greatest(sessions.load_id, coalesce(first_syncs.load_id, 0)) as load_id
    from sessions
    left join first_syncs
        on sessions.session_id = first_syncs.session_id

)

select * from final

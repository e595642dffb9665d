with telemetry_days as (

    select * from {{ ref('stg_ledger__days') }}
    where source_name = 'clinic_devices' and table_name in ('heartbeats', 'crashes')

),

session_changes as (

    select * from {{ ref('int_tablet_usage__session_changes') }}

),

final as (

    select
        touched_date as activity_date,
        load_id
    from telemetry_days

    union all

    select
        session_date as activity_date,
        load_id
    from session_changes

)

select * from final

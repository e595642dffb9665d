with screen_days as (

    select * from {{ ref('stg_ledger__days') }}
    where source_name = 'clinic_devices' and table_name = 'screens'

),

session_changes as (

    select * from {{ ref('int_tablet_usage__session_changes') }}

),

stay_changes as (

    select * from {{ ref('int_tablet_usage__device_stay_changes') }}

),

final as (

    select
        touched_date as session_date,
        load_id
    from screen_days

    union all

    -- a session that began before midnight goes on after it
    select
        {{ add_days('touched_date', -1) }} as session_date,
        load_id
    from screen_days

    union all

    select
        session_date,
        load_id
    from session_changes

    union all

    select
        activity_date as session_date,
        load_id
    from stay_changes

)

select * from final

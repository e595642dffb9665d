with telemetry_days as (

    select * from {{ ref('stg_ledger__days') }}
    where source_name = 'clinic_devices' and table_name in ('heartbeats', 'crashes')

),

session_changes as (

    select * from {{ ref('int_tablet_usage__session_changes') }}

),

stay_changes as (

    select * from {{ ref('int_tablet_usage__device_stay_changes') }}

),

active_days as (

    select activity_date
    from stay_changes
    group by activity_date

),

devices as (

    select * from {{ ref('dim_devices') }}

),

opening_hours as (

    select * from {{ ref('int_core__opening_hours') }}

),

opening_hours_loads as (

    select
        opening_hours.load_id,
        min({{ kst_date('devices.valid_from_at') }}) as first_date
    from opening_hours
    inner join devices
        on opening_hours.hospital_id = devices.hospital_id
    group by opening_hours.load_id

),

final as (

    select
        touched_date as activity_date,
        load_id
    from telemetry_days

    union all

    -- what a clock that is ahead sent after midnight, it sent before
    select
        {{ add_days('touched_date', -1) }} as activity_date,
        load_id
    from telemetry_days
    where table_name = 'heartbeats'

    union all

    select
        session_date as activity_date,
        load_id
    from session_changes

    union all

    select
        activity_date,
        load_id
    from stay_changes

    union all

    -- a new release of the registry tells of all days on which its clinics had devices
    select
        active_days.activity_date,
        opening_hours_loads.load_id
    from active_days
    cross join opening_hours_loads
    where active_days.activity_date >= opening_hours_loads.first_date

)

select * from final

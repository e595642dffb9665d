with devices as (

    select
        load_id,
        updated_at,
        case when returned_at < updated_at then returned_at else updated_at end as returned_at,
        case when deleted_at < updated_at then deleted_at else updated_at end as deleted_at,
        case
            when installed_at is null then created_at
            when
                coalesce(
                    installed_at <= lag(installed_at) over (
                        partition by device_id order by load_id nulls last
                    ),
                    false
                )
                then updated_at
            else installed_at
        end as installed_at
    from {{ ref('stg_app_db__devices') }}

),

sessions as (

    select * from {{ ref('stg_app_db__tablet_sessions') }}

),

telemetry_days as (

    select * from {{ ref('stg_ledger__days') }}
    where source_name = 'clinic_devices'

),

active_days as (

    select touched_date as activity_date
    from telemetry_days
    union distinct
    select session_date as activity_date
    from sessions

),

-- the first day for which a load may tell of another stay than the loads before it
first_days as (

    select
        load_id,
        {{ kst_date(
            'least(updated_at, returned_at, deleted_at, coalesce(installed_at, updated_at))'
        ) }} as changed_date
    from devices
    group by
        load_id,
        {{ kst_date(
            'least(updated_at, returned_at, deleted_at, coalesce(installed_at, updated_at))'
        ) }}

),

final as (

    select
        active_days.activity_date,
        first_days.load_id
    from first_days
    -- few days of change beside the days of the devices
    cross join active_days
    where active_days.activity_date >= first_days.changed_date
    group by active_days.activity_date, first_days.load_id

)

select * from final

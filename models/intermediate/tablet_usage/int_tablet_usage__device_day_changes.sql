with heartbeats as (

    select * from {{ ref('stg_clinic_devices__heartbeats') }}

),

crashes as (

    select * from {{ ref('stg_clinic_devices__crashes') }}

),

session_changes as (

    select * from {{ ref('int_tablet_usage__session_changes') }}

),

final as (

    select
        sent_date as activity_date,
        load_id
    from heartbeats

    union all

    select
        occurred_date as activity_date,
        load_id
    from crashes

    union all

    select
        session_date as activity_date,
        load_id
    from session_changes

)

select * from final

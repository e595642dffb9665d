-- One row is a version of a tablet or kiosk: its stay at one clinic.

with devices as (

    select * from {{ ref('stg_app_db__devices') }}

),

compared as (

    select
        device_id,
        hospital_id,
        serial_no,
        device_kind,
        device_model,
        os,
        app_version,
        coalesce(installed_at, created_at) as installed_at,
        lag(coalesce(installed_at, created_at)) over (
            partition by device_id order by load_id nulls last
        ) as prior_installed_at,
        lag(hospital_id) over (partition by device_id order by load_id nulls last)
            as prior_hospital_id,
        returned_at,
        updated_at,
        deleted_at,
        load_id
    from devices

),

-- some moves are recorded without a new installation: such a stay begins when the row changed
started as (

    select
        device_id,
        hospital_id,
        serial_no,
        device_kind,
        device_model,
        os,
        app_version,
        returned_at,
        deleted_at,
        load_id,
        case
            when prior_installed_at is null or installed_at > prior_installed_at
                then installed_at
            when coalesce(hospital_id, 0) <> coalesce(prior_hospital_id, 0) then updated_at
        end as stay_started_at
    from compared

),

numbered as (

    select
        device_id,
        hospital_id,
        serial_no,
        device_kind,
        device_model,
        os,
        app_version,
        returned_at,
        deleted_at,
        load_id,
        stay_started_at,
        count(stay_started_at) over (
            partition by device_id
            order by load_id nulls last
            rows between unbounded preceding and current row
        ) as version_no
    from started

),

ranked as (

    select
        device_id,
        hospital_id,
        serial_no,
        device_kind,
        device_model,
        os,
        app_version,
        version_no,
        returned_at,
        deleted_at,
        max(stay_started_at) over (partition by device_id, version_no) as valid_from_at,
        row_number() over (
            partition by device_id, version_no
            order by load_id desc nulls last
        ) as newness
    from numbered

),

-- the newest row of a stay tells its end; a return before its start belongs to an earlier stay
stays as (

    select
        device_id,
        hospital_id,
        serial_no,
        device_kind,
        device_model,
        os,
        app_version,
        version_no,
        valid_from_at,
        coalesce(case when returned_at >= valid_from_at then returned_at end, deleted_at)
            as left_at,
        lead(valid_from_at) over (partition by device_id order by version_no nulls last)
            as next_from_at
    from ranked
    where newness = 1

),

final as (

    select
        {{ surrogate_key(['device_id', 'version_no']) }} as device_version_key,
        device_id,
        cast(version_no as {{ dbt.type_bigint() }}) as version_no,
        hospital_id,
        serial_no,
        device_kind,
        device_model,
        os,
        app_version,
        valid_from_at,
        case
            when next_from_at is null or left_at < next_from_at then left_at
            else next_from_at
        end as valid_to_at,
        left_at is null and next_from_at is null as is_current
    from stays

)

select * from final

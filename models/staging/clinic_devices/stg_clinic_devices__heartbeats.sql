with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('sent_at') }} as sent_date
    from {{ source('raw_clinic_devices', 'heartbeats') }}

),

renamed as (

    select
        device_id,

        -- chargers report 255 or -1 while the gauge starts
        case when battery_pct between 0 and 100 then battery_pct end as battery_pct,
        charging as is_charging,
        lower(trim(network)) as network,
        trim(app_version) as app_version,
        storage_free_mb,

        sent_at,
        sent_date,
        received_at,

        is_deleted,
        -- the date stands in the partition so that a filter on it reaches the raw rows
        not is_deleted and row_number() over (
            partition by device_id, sent_at, sent_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('occurred_at') }} as occurred_date
    from {{ source('raw_clinic_devices', 'crashes') }}

),

renamed as (

    select
        device_id,

        trim(app_version) as app_version,
        lower(trim(screen)) as screen,
        trim(error_class) as error_class,

        occurred_at,
        occurred_date,
        received_at,

        is_deleted,
        -- the date stands in the partition so that a filter on it reaches the raw rows
        not is_deleted and row_number() over (
            partition by device_id, occurred_at, error_class, occurred_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

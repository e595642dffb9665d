with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('entered_at') }} as entered_date
    from {{ source('raw_clinic_devices', 'screens') }}

),

renamed as (

    select
        lower(trim(session_id)) as session_id,
        device_id,

        lower(trim(screen)) as screen,
        visit_no,
        lower(trim(exit)) as exit_kind,
        nullif(lower(trim(error_code)), '') as error_code,
        trim(app_version) as app_version,

        entered_at,
        entered_date,
        left_at,
        received_at,

        is_deleted,
        -- the date stands in the partition so that a filter on it reaches the raw rows
        not is_deleted and row_number() over (
            partition by lower(trim(session_id)), visit_no, entered_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_app_db', 'devices') }}

),

renamed as (

    select
        id as device_id,
        hospital_id,

        upper(trim(serial_no)) as serial_no,
        lower(trim(kind)) as device_kind,
        trim(model) as device_model,
        trim(os) as os,
        trim(app_version) as app_version,

        installed_at,
        returned_at,
        created_at,
        updated_at,
        _deleted_at as deleted_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

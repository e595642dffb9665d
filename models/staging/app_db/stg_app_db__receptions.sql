with source as (

    select * from {{ source('raw_app_db', 'receptions') }}

),

renamed as (

    select
        id as reception_id,
        booking_id,
        member_id as member_key,
        hospital_id,
        device_id,

        trim(department_cd) as department_code,
        lower(trim(channel)) as channel,
        queue_no,
        status as source_status,
        trim(cancel_reason) as cancel_reason,

        requested_at,
        accepted_at,
        called_at,
        started_at,
        completed_at,
        cancelled_at,
        created_at,
        {{ kst_date('created_at') }} as created_date,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

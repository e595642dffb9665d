with source as (

    select * from {{ source('raw_app_db', 'bookings') }}

),

renamed as (

    select
        id as booking_id,
        member_id as member_key,
        hospital_id,
        doctor_id,

        trim(department_cd) as department_code,
        lower(trim(channel)) as channel,
        status as source_status,
        lower(trim(source_campaign)) as campaign,
        coalesce(length(memo), 0) as memo_length,
        coalesce(length(memo), 0) > 0 as has_memo,

        slot_start as slot_start_at,
        slot_end as slot_end_at,
        created_at,
        {{ kst_date('created_at') }} as created_date,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_app_db', 'prescriptions') }}

),

renamed as (

    select
        id as prescription_id,
        reception_id,
        member_id as member_key,
        hospital_id,
        doctor_id,

        trim(issue_no) as issue_no,
        issued_date,
        valid_days,
        trim(insurance_type_cd) as insurance_type_code,
        nullif(trim(pharmacy_ykiho), '') as pharmacy_ykiho,
        status as source_status,
        coalesce(length(memo), 0) as memo_length,
        coalesce(length(memo), 0) > 0 as has_memo,

        sent_at,
        dispensed_at,
        created_at,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

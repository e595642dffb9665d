with source as (

    select * from {{ source('raw_app_db', 'prescription_diagnoses') }}

),

renamed as (

    select
        prescription_id,
        seq as diagnosis_seq,

        -- J06.0, j060 and ' J060 ' are one code
        nullif(replace(upper(trim(kcd_code)), '.', ''), '') as kcd_code,
        coalesce(is_main, false) as is_main,

        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

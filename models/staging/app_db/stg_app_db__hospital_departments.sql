with source as (

    select * from {{ source('raw_app_db', 'hospital_departments') }}

),

renamed as (

    select
        hospital_id,

        lower(trim(dgsbjt_cd)) as department_spelling,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

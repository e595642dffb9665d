with source as (

    select * from {{ source('raw_app_db', 'doctors') }}

),

renamed as (

    select
        id as doctor_id,
        hospital_id,
        licence_no as licence_token,

        lower(trim(specialty_cd)) as specialty_spelling,
        coalesce(active, false) as is_active,

        created_at,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_app_db', 'tablet_sessions') }}

),

renamed as (

    select
        id as session_id,
        device_id,
        hospital_id,
        member_id as member_key,
        reception_id,

        lower(trim(visitor_kind)) as visitor_kind,
        lower(trim(end_reason)) as end_reason,
        lower(trim(last_screen)) as last_screen,
        coalesce(is_test, false) as is_test,

        started_at,
        {{ kst_date('started_at') }} as session_date,
        ended_at,
        created_at,
        updated_at,
        {{ kst_date('updated_at') }} as updated_date,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

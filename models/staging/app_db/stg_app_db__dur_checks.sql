with source as (

    select * from {{ source('raw_app_db', 'dur_checks') }}

),

renamed as (

    select
        id as dur_check_id,
        prescription_id,
        item_line as line_no,

        lower(trim(kind)) as dur_category,
        nullif(trim(counterpart_code), '') as counterpart_code,
        nullif(trim(override_reason_cd), '') as override_reason_code,

        checked_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

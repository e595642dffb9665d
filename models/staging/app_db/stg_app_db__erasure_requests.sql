with source as (

    select * from {{ source('raw_app_db', 'erasure_requests') }}

),

renamed as (

    select
        id as erasure_request_id,
        member_id as member_key,

        trim(reason) as reason,

        requested_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

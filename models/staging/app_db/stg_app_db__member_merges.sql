with source as (

    select * from {{ source('raw_app_db', 'member_merges') }}

),

renamed as (

    select
        id as member_merge_id,
        from_member_id as from_member_key,
        to_member_id as to_member_key,

        merged_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

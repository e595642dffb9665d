with source as (

    select * from {{ source('raw_ads_snapchat', 'ad_list') }}

),

renamed as (

    select
        trim(account_id) as account_id,
        trim(ad_squad_id) as ad_group_id,
        trim(id) as ad_id,
        trim(name) as ad_name,
        lower(trim(status)) as status,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

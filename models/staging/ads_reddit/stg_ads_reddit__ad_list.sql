with source as (

    select * from {{ source('raw_ads_reddit', 'ad_list') }}

),

renamed as (

    select
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(id) as ad_id,
        trim(name) as ad_name,
        trim(click_url) as landing_url,
        lower(trim(configured_status)) as status,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

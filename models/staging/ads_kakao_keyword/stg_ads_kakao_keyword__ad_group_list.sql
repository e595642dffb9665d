with source as (

    select * from {{ source('raw_ads_kakao_keyword', 'ad_group_list') }}

),

renamed as (

    select
        trim(account_id) as account_id,
        trim(ad_group_id) as ad_group_id,
        trim(ad_group_name) as ad_group_name,
        trim(campaign_id) as campaign_id,
        lower(trim(status)) as status,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_kakao_keyword', 'keyword_list') }}

),

renamed as (

    select
        trim(account_id) as account_id,
        trim(keyword_id) as keyword_id,
        trim(keyword_text) as keyword_text,
        trim(ad_group_id) as ad_group_id,
        lower(trim(status)) as status,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

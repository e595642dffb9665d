with source as (

    select * from {{ source('raw_ads_naver_sa', 'conversions') }}

),

renamed as (

    select
        stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        nullif(trim(ad_group_id), '-') as ad_group_id,
        nullif(trim(keyword_id), '-') as keyword_id,
        nullif(trim(ad_id), '-') as ad_id,
        trim(pc_mobile_type) as device,
        trim(conversion_type) as conversion_type_native,
        trim(conversion_method) as attribution_native,
        conversion_count,
        sales_by_conversion,
        {{ ad_extraction() }}
    from source

)

select * from renamed

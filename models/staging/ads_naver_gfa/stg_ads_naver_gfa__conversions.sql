with source as (

    select * from {{ source('raw_ads_naver_gfa', 'conversions') }}

),

renamed as (

    select
        stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(ad_id) as ad_id,
        trim(conv_type) as conversion_type_native,
        conv_count,
        conv_sales,
        {{ ad_extraction() }}
    from source

)

select * from renamed

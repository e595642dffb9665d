with source as (

    select * from {{ source('raw_ads_naver_gfa', 'ads') }}

),

renamed as (

    select
        stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(ad_id) as ad_id,
        imp_count,
        click_count,
        vplay_count,
        sales,
        conv_count,
        conv_sales,
        {{ ad_extraction() }}
    from source

)

select * from renamed

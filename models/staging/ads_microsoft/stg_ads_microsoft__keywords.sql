with source as (

    select * from {{ source('raw_ads_microsoft', 'keywords') }}

),

renamed as (

    select
        time_period as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(ad_group_id) as ad_group_id,
        trim(ad_group_name) as ad_group_name,
        trim(keyword_id) as keyword_id,
        trim(keyword) as keyword_text,
        lower(trim(bid_match_type)) as match_type,
        trim(currency_code) as currency_native,
        spend,
        impressions,
        clicks,
        conversions,
        revenue,
        {{ ad_extraction() }}
    from source

)

select * from renamed

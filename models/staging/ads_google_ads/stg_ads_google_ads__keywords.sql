with source as (

    select * from {{ source('raw_ads_google_ads', 'keywords') }}

),

renamed as (

    select
        segments_date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(criterion_id) as keyword_id,
        trim(keyword_text) as keyword_text,
        trim(keyword_match_type) as match_type,
        trim(currency_code) as currency_native,
        impressions,
        clicks,
        cost_micros,
        conversions,
        conversions_value,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_google_ads', 'ads') }}

),

renamed as (

    select
        segments_date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(advertising_channel_type) as channel,
        trim(ad_group_id) as ad_group_id,
        trim(ad_group_name) as ad_group_name,
        trim(ad_id) as ad_id,
        trim(ad_name) as ad_name,
        trim(final_url) as landing_url,
        trim(currency_code) as currency_native,
        impressions,
        clicks,
        cost_micros,
        conversions,
        conversions_value,
        conversions_by_conversion_date,
        {{ ad_extraction() }}
    from source

)

select * from renamed

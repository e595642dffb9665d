with source as (

    select * from {{ source('raw_ads_google_ads', 'campaigns') }}

),

renamed as (

    select
        segments_date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(advertising_channel_type) as channel,
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

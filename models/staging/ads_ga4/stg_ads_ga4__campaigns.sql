with source as (

    select * from {{ source('raw_ads_ga4', 'campaigns') }}

),

renamed as (

    select
        date as stat_date,
        trim(account_id) as account_id,
        trim(session_source) as media_source,
        trim(session_campaign_id) as campaign_id,
        trim(session_campaign_name) as campaign_name,
        advertiser_ad_impressions,
        advertiser_ad_clicks,
        advertiser_ad_cost,
        key_events,
        total_revenue,
        {{ ad_extraction() }}
    from source

)

select * from renamed

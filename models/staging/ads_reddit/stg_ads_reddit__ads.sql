with source as (

    select * from {{ source('raw_ads_reddit', 'ads') }}

),

renamed as (

    select
        date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(ad_id) as ad_id,
        spend,
        impressions,
        clicks,
        conversion_lead_clicks,
        conversion_lead_views,
        conversion_purchase_clicks,
        {{ ad_extraction() }}
    from source

)

select * from renamed

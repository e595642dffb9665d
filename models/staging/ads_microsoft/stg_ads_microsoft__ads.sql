with source as (

    select * from {{ source('raw_ads_microsoft', 'ads') }}

),

renamed as (

    select
        time_period as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(ad_group_id) as ad_group_id,
        trim(ad_group_name) as ad_group_name,
        trim(ad_id) as ad_id,
        trim(ad_title) as ad_name,
        trim(final_url) as landing_url,
        trim(currency_code) as currency_native,
        spend,
        impressions,
        clicks,
        conversions,
        view_through_conversions,
        revenue,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_line', 'ads') }}

),

renamed as (

    select
        day as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(ad_group_id) as ad_group_id,
        trim(ad_group_name) as ad_group_name,
        trim(ad_id) as ad_id,
        trim(ad_name) as ad_name,
        trim(currency) as currency_native,
        cost,
        impressions,
        clicks,
        cv,
        purchase,
        installs_clicks_and_views,
        {{ ad_extraction() }}
    from source

)

select * from renamed

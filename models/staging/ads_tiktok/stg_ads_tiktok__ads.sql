with source as (

    select * from {{ source('raw_ads_tiktok', 'ads') }}

),

renamed as (

    select
        {{ parse_date('stat_time_day') }} as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(adgroup_id) as ad_group_id,
        trim(adgroup_name) as ad_group_name,
        trim(ad_id) as ad_id,
        trim(ad_name) as ad_name,
        trim(currency) as currency_native,
        spend,
        impressions,
        clicks,
        conversion,
        real_time_conversion,
        total_purchase,
        total_purchase_value,
        {{ ad_extraction() }}
    from source

)

select * from renamed

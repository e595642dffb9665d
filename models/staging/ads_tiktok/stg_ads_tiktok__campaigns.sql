with source as (

    select * from {{ source('raw_ads_tiktok', 'campaigns') }}

),

renamed as (

    select
        {{ parse_date('stat_time_day') }} as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(currency) as currency_native,
        spend,
        impressions,
        clicks,
        reach,
        conversion,
        real_time_conversion,
        total_purchase,
        total_purchase_value,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_snapchat', 'ads') }}

),

renamed as (

    select
        {{ parse_date('start_time') }} as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(ad_id) as ad_id,
        spend,
        impressions,
        swipes,
        conversion_sign_ups,
        conversion_purchases,
        conversion_purchases_value,
        {{ ad_extraction() }}
    from source

)

select * from renamed

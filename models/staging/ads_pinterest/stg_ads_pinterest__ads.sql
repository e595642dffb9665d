with source as (

    select * from {{ source('raw_ads_pinterest', 'ads') }}

),

renamed as (

    select
        date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(ad_group_id) as ad_group_id,
        trim(ad_id) as ad_id,
        spend_in_micro_dollar,
        total_impression,
        total_clickthrough,
        total_conversions,
        total_checkout,
        total_checkout_value_in_micro_dollar,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_rtb_house', 'campaigns') }}

),

renamed as (

    select
        day as stat_date,
        trim(account_id) as account_id,
        trim(subcampaign_hash) as campaign_id,
        trim(subcampaign) as campaign_name,
        imps_count,
        clicks_count,
        campaign_cost,
        conversions_count,
        conversions_value,
        {{ ad_extraction() }}
    from source

)

select * from renamed

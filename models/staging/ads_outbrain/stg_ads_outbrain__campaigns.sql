with source as (

    select * from {{ source('raw_ads_outbrain', 'campaigns') }}

),

renamed as (

    select
        metadata_id as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        spend,
        impressions,
        clicks,
        conversions,
        {{ ad_extraction() }}
    from source

)

select * from renamed

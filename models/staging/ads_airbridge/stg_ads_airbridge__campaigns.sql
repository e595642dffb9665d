with source as (

    select * from {{ source('raw_ads_airbridge', 'campaigns') }}

),

renamed as (

    select
        event_date as stat_date,
        trim(account_id) as account_id,
        trim(channel) as media_source,
        trim(campaign_id) as campaign_id,
        trim(campaign) as campaign_name,
        impressions_channel,
        clicks_channel,
        cost_channel,
        app_installs,
        {{ ad_extraction() }}
    from source

)

select * from renamed

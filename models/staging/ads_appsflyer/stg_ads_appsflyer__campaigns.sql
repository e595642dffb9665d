with source as (

    select * from {{ source('raw_ads_appsflyer', 'campaigns') }}

),

renamed as (

    select
        install_time as stat_date,
        trim(account_id) as account_id,
        trim(media_source) as media_source,
        trim(campaign_id) as campaign_id,
        trim(campaign) as campaign_name,
        impressions,
        clicks,
        cost,
        installs,
        revenue,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_moloco', 'campaigns') }}

),

renamed as (

    select
        date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_title) as campaign_name,
        metric_impressions,
        metric_clicks,
        metric_installs,
        metric_spend,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_adjust', 'campaigns') }}

),

renamed as (

    select
        day as stat_date,
        trim(account_id) as account_id,
        trim(partner_name) as media_source,
        trim(campaign_id_network) as campaign_id,
        trim(campaign_network) as campaign_name,
        impressions,
        clicks,
        cost,
        installs,
        all_revenue,
        {{ ad_extraction() }}
    from source

)

select * from renamed

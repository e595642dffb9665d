with source as (

    select * from {{ source('raw_ads_liftoff', 'campaigns') }}

),

renamed as (

    select
        date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        impressions,
        clicks,
        installs,
        spend,
        {{ ad_extraction() }}
    from source

)

select * from renamed

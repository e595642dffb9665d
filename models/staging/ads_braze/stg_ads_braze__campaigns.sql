with source as (

    select * from {{ source('raw_ads_braze', 'campaigns') }}

),

renamed as (

    select
        time as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        unique_recipients,
        conversions,
        conversions_by_send_time,
        revenue,
        {{ ad_extraction() }}
    from source

)

select * from renamed

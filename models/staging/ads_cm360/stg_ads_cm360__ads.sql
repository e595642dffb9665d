with source as (

    select * from {{ source('raw_ads_cm360', 'ads') }}

),

renamed as (

    select
        report_date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign) as campaign_name,
        trim(placement_id) as ad_group_id,
        trim(placement) as ad_group_name,
        trim(ad_id) as ad_id,
        trim(ad) as ad_name,
        impressions,
        clicks,
        media_cost,
        click_through_conversions,
        view_through_conversions,
        total_conversions,
        {{ ad_extraction() }}
    from source

)

select * from renamed

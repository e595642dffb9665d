with source as (

    select * from {{ source('raw_ads_linkedin', 'ads') }}

),

renamed as (

    select
        cast(
            start_year || '-' || lpad(start_month, 2, '0') || '-' || lpad(start_day, 2, '0') as date
        ) as stat_date,
        trim(account_id) as account_id,
        replace(campaign_group_urn, 'urn:li:sponsoredCampaignGroup:', '') as campaign_id,
        replace(campaign_urn, 'urn:li:sponsoredCampaign:', '') as ad_group_id,
        replace(creative_urn, 'urn:li:sponsoredCreative:', '') as ad_id,
        cost_in_local_currency,
        impressions,
        clicks,
        external_website_post_click_conversions,
        external_website_post_view_conversions,
        conversion_value_in_local_currency,
        {{ ad_extraction() }}
    from source

)

select * from renamed

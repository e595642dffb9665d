with source as (

    select * from {{ source('raw_ads_dv360', 'ads') }}

),

renamed as (

    select
        {{ parse_date("replace(report_date, '/', '-')") }} as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign) as campaign_name,
        trim(line_item_id) as ad_group_id,
        trim(line_item) as ad_group_name,
        trim(creative_id) as ad_id,
        trim(creative) as ad_name,
        trim(advertiser_currency) as currency_native,
        impressions,
        clicks,
        revenue_adv_currency,
        post_click_conversions,
        post_view_conversions,
        total_conversions,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_criteo', 'ad_groups') }}

),

renamed as (

    select
        day as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign) as campaign_name,
        trim(adset_id) as ad_group_id,
        trim(adset) as ad_group_name,
        trim(currency) as currency_native,
        displays,
        clicks,
        advertiser_cost,
        sales_all_pc1d,
        sales_all_pc7d,
        sales_all_pc30d,
        revenue_generated_all_pc30d,
        {{ ad_extraction() }}
    from source

)

select * from renamed

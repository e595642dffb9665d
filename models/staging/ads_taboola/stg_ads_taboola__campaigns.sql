with source as (

    select * from {{ source('raw_ads_taboola', 'campaigns') }}

),

renamed as (

    select
        {{ parse_date('date') }} as stat_date,
        trim(account_id) as account_id,
        trim(campaign) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(currency) as currency_native,
        spent,
        impressions,
        clicks,
        cpa_actions_num,
        {{ ad_extraction() }}
    from source

)

select * from renamed

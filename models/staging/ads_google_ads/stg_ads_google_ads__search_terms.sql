with source as (

    select * from {{ source('raw_ads_google_ads', 'search_terms') }}

),

renamed as (

    select
        segments_date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(search_term) as search_term,
        trim(search_term_match_type) as match_type,
        trim(currency_code) as currency_native,
        impressions,
        clicks,
        cost_micros,
        conversions,
        conversions_value,
        {{ ad_extraction() }}
    from source

)

select * from renamed

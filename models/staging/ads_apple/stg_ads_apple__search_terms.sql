with source as (

    select * from {{ source('raw_ads_apple', 'search_terms') }}

),

renamed as (

    select
        granular_date as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(keyword_id) as keyword_id,
        trim(keyword_text) as keyword_text,
        trim(match_type) as match_type,
        trim(search_term_text) as search_term,
        trim(local_spend_currency) as currency_native,
        local_spend_amount,
        impressions,
        taps,
        tap_installs,
        view_installs,
        total_installs,
        {{ ad_extraction() }}
    from source

)

select * from renamed

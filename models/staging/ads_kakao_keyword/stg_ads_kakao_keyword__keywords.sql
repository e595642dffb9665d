with source as (

    select * from {{ source('raw_ads_kakao_keyword', 'keywords') }}

),

renamed as (

    select
        stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(ad_group_id) as ad_group_id,
        trim(keyword_id) as keyword_id,
        imp,
        click,
        spending,
        rank,
        conv_participation_1d,
        conv_participation_7d,
        conv_signup_1d,
        conv_signup_7d,
        conv_purchase_1d,
        conv_purchase_7d,
        conv_purchase_p_1d,
        conv_purchase_p_7d,
        {{ ad_extraction() }}
    from source

)

select * from renamed

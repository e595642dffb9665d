with source as (

    select * from {{ source('raw_ads_naver_sa', 'ads') }}

),

renamed as (

    select
        stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        nullif(trim(keyword_id), '-') as keyword_id,
        trim(ad_id) as ad_id,
        trim(pc_mobile_type) as device,
        impression,
        click,
        cost,
        sum_of_ad_rank,
        view_count,
        {{ ad_extraction() }}
    from source

)

select * from renamed

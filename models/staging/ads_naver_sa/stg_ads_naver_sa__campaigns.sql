with source as (

    select * from {{ source('raw_ads_naver_sa', 'campaigns') }}

),

renamed as (

    select
        stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        imp_cnt,
        clk_cnt,
        sales_amt,
        ccnt,
        conv_amt,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_branch', 'campaigns') }}

),

renamed as (

    select
        {{ kst_date('timestamp') }} as stat_date,
        trim(account_id) as account_id,
        trim(advertising_partner_name) as media_source,
        trim(campaign_id) as campaign_id,
        trim(campaign) as campaign_name,
        unique_count,
        {{ ad_extraction() }}
    from source

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_unity', 'campaigns') }}

),

renamed as (

    select
        {{ kst_date('reported_at') }} as stat_date,
        cast(reported_at as date) as reported_date,
        reported_at as reported_hour,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        starts,
        clicks,
        installs,
        spend,
        {{ ad_extraction() }}
    from source

)

select * from renamed

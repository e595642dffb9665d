with source as (

    select * from {{ source('raw_ads_applovin', 'campaigns') }}

),

timed as (

    select
        *,
        cast(trim(day) || ' ' || substring(trim(hour), 1, 2) || ':00:00' as timestamp)
            as reported_hour
    from source

),

renamed as (

    select
        {{ kst_date('reported_hour') }} as stat_date,
        {{ parse_date('day') }} as reported_date,
        reported_hour,
        trim(account_id) as account_id,
        trim(campaign_id_external) as campaign_id,
        trim(campaign) as campaign_name,
        impressions,
        clicks,
        conversions,
        cost,
        {{ ad_extraction() }}
    from timed

)

select * from renamed

with source as (

    select * from {{ source('raw_ads_mintegral', 'campaigns') }}

),

renamed as (

    select
        date as stat_date,
        trim(account_id) as account_id,
        trim(offer_id) as campaign_id,
        trim(offer_name) as campaign_name,
        trim(currency) as currency_native,
        impression,
        click,
        conversion,
        spend,
        {{ ad_extraction() }}
    from source

)

select * from renamed

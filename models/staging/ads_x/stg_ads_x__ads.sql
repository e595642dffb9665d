with source as (

    select * from {{ source('raw_ads_x', 'ads') }}

),

renamed as (

    select
        -- a tweet that was not shown is in the answer too: a row without figures has no day
        case
            when coalesce(
                    impressions,
                    clicks,
                    billed_charge_local_micro,
                    conversion_sign_ups_post_engagement,
                    conversion_sign_ups_post_view,
                    conversion_purchases_post_engagement,
                    conversion_purchases_sale_amount
                ) is not null then window_from
        end as stat_date,
        trim(account_id) as account_id,
        trim(id) as ad_id,
        billed_charge_local_micro,
        impressions,
        clicks,
        conversion_sign_ups_post_engagement,
        conversion_sign_ups_post_view,
        conversion_purchases_post_engagement,
        conversion_purchases_sale_amount,
        {{ ad_extraction() }}
    from source

)

select * from renamed

-- Exactly, not nearly: each campaign's ads and remainder add up to the medium's newest report.
with delivered as (

    select
        stat_date,
        medium,
        account_id,
        campaign_id,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(spend_native) as spend_native,
        sum(spend_supply_krw) as spend_supply_krw,
        sum(spend_gross_krw) as spend_gross_krw,
        sum(conversions) as conversions,
        sum(conversion_value_krw) as conversion_value_krw
    from {{ ref('fct_ad_delivery_daily') }}
    group by stat_date, medium, account_id, campaign_id

),

totals as (

    select *
    from {{ ref('int_marketing__ad_reports_unified') }}
    where is_latest
        and level = 'campaign'

)

select
    totals.stat_date,
    totals.medium,
    totals.account_id,
    totals.campaign_id
from totals
left join delivered
    on totals.stat_date = delivered.stat_date
    and totals.medium = delivered.medium
    and totals.account_id = delivered.account_id
    and totals.campaign_id = delivered.campaign_id
where totals.impressions <> coalesce(delivered.impressions, 0)
    or totals.clicks <> coalesce(delivered.clicks, 0)
    or totals.spend_native <> coalesce(delivered.spend_native, 0)
    or totals.spend_supply_krw <> coalesce(delivered.spend_supply_krw, 0)
    or totals.spend_gross_krw <> coalesce(delivered.spend_gross_krw, 0)
    or totals.conversions <> coalesce(delivered.conversions, 0)
    or totals.conversion_value_krw <> coalesce(delivered.conversion_value_krw, 0)

-- The products of a day and medium cost what the medium's ads did, to the won's last decimal.
with products as (

    select
        stat_date,
        medium,
        sum(spend_supply_krw) as spend_supply_krw
    from {{ ref('fct_event_product_performance_daily') }}
    group by stat_date, medium

),

ads as (

    select
        stat_date,
        medium,
        sum(spend_supply_krw) as spend_supply_krw
    from {{ ref('fct_ad_delivery_daily') }}
    group by stat_date, medium

)

select
    ads.stat_date,
    ads.medium,
    ads.spend_supply_krw,
    products.spend_supply_krw as product_spend_supply_krw
from ads
-- full: a day may be missing on either side
full outer join products
    on ads.stat_date = products.stat_date
    and ads.medium = products.medium
where coalesce(ads.spend_supply_krw, 0) <> coalesce(products.spend_supply_krw, 0)

-- Character 7 of the ingredient code carries the route; it agrees in every real list so far.
{{ config(severity='warn') }}

with prices as (

    select * from {{ ref('stg_hira__drug_prices') }}
    where not is_deleted and not is_repeat

),

routes as (

    select * from {{ ref('drug_routes') }}

)

select
    prices.drug_code,
    prices.price_month,
    prices.ingredient_code,
    prices.route_name
from prices
left join routes
    on routes.route_code = substring(prices.ingredient_code, 7, 1)
where routes.route_name_ko is null or routes.route_name_ko <> prices.route_name

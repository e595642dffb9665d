-- The four terms of a product's score share one whole, so that a score lies between 0 and 1.
select
    product_conversion_weight + product_stars_weight + product_demand_weight
    + product_margin_weight as weights
from {{ ref('int_marketing__event_product_settings') }}
where product_conversion_weight + product_stars_weight + product_demand_weight
    + product_margin_weight <> 1

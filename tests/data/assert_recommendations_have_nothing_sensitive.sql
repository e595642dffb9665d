-- Nobody learns of a sensitive offer that somebody had it in mind: none is recommended, is a
-- reason, or is alike to anything.
with shown as (

    select event_product_id from {{ ref('fct_recommendations') }}
    union all
    select reason_event_product_id as event_product_id from {{ ref('fct_recommendations') }}
    union all
    select event_product_id from {{ ref('fct_item_similarity') }}
    union all
    select similar_event_product_id as event_product_id from {{ ref('fct_item_similarity') }}

)

select distinct shown.event_product_id
from shown
left join {{ ref('dim_event_products') }} as products
    on shown.event_product_id = products.event_product_id
where shown.event_product_id is not null
    and coalesce(products.is_sensitive, true)

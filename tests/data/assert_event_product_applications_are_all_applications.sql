-- Every application of a day stands at a product, by the same medium.
with products as (

    select
        stat_date,
        medium,
        sum(applications) as applications
    from {{ ref('fct_event_product_performance_daily') }}
    group by stat_date, medium

),

conversions as (

    select
        created_date as stat_date,
        coalesce(medium, '(none)') as medium,
        count(*) as applications
    from {{ ref('fct_conversions') }}
    where conversion_type = 'application'
    group by created_date, coalesce(medium, '(none)')

)

select
    products.stat_date,
    products.medium,
    products.applications,
    conversions.applications as expected_applications
from products
-- full: a day may be missing on either side
full outer join conversions
    on products.stat_date = conversions.stat_date
    and products.medium = conversions.medium
where coalesce(products.applications, 0) <> coalesce(conversions.applications, 0)

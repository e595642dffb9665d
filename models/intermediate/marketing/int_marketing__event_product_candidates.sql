-- The fewer reviews a product has, the nearer its stars are put to those of its category.
with days as (

    select * from {{ ref('int_marketing__reviews_as_of_days') }}

),

products as (

    select * from {{ ref('dim_event_products') }}

),

reviews as (

    select *
    from {{ ref('int_marketing__reviews_judged') }}
    where exclusion_reason is null
        and stars is not null

),

settings as (

    select * from {{ ref('int_marketing__event_product_settings') }}

),

stars as (

    select
        days.as_of_date,
        products.event_product_id,
        count(reviews.review_id) as review_count,
        coalesce(sum(reviews.stars), 0) as star_sum,
        coalesce(max(reviews.load_id), 0) as load_id
    from days
    cross join products
    left join reviews
        on products.event_product_id = reviews.event_product_id
        and days.as_of_date >= reviews.written_date
    group by days.as_of_date, products.event_product_id

),

expected as (

    select
        days.is_newest,
        stars.*,
        products.hospital_id,
        products.category,
        products.sido_code,
        coalesce(
            products.starts_date <= days.as_of_date
            and (products.ends_date is null or products.ends_date >= days.as_of_date),
            false
        ) as is_on_sale,
        -- a category without reviews is expected to be as all are
        coalesce(
            {{ ratio(
                'sum(stars.star_sum) over (partition by stars.as_of_date, products.category)',
                'sum(stars.review_count) over (partition by stars.as_of_date, products.category)'
            ) }},
            {{ ratio(
                'sum(stars.star_sum) over (partition by stars.as_of_date)',
                'sum(stars.review_count) over (partition by stars.as_of_date)'
            ) }}
        ) as stars_prior,
        products.load_id as product_load_id
    from stars
    inner join days on stars.as_of_date = days.as_of_date
    inner join products on stars.event_product_id = products.event_product_id

),

final as (

    select
        expected.as_of_date,
        expected.is_newest,
        expected.event_product_id,
        expected.hospital_id,
        expected.category,
        expected.sido_code,
        expected.is_on_sale,
        cast(expected.review_count as {{ dbt.type_bigint() }}) as review_count,
        expected.stars_prior,
        {{ ratio(
            'settings.stars_prior_count * expected.stars_prior + expected.star_sum',
            'settings.stars_prior_count + expected.review_count'
        ) }} as bayesian_stars,
        greatest(expected.load_id, expected.product_load_id) as load_id
    from expected
    -- one row
    cross join settings

)

select * from final

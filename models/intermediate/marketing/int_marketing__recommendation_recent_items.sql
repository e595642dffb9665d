{{ config(materialized='table') }}
with training as (

    select *
    from {{ ref('int_marketing__item_training') }}
    where is_recent

),

asked as (

    select * from {{ ref('int_marketing__recommendation_asked') }}

),

products as (

    select * from {{ ref('dim_event_products') }}

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

dated as (

    select
        training.training_set,
        training.member_key,
        training.event_product_id,
        coalesce(products.category, '(none)') as category,
        coalesce(products.sido_code, '(none)') as sido_code,
        {{ dbt.datediff('training.last_date', 'asked.as_of_date', 'day') }} as age_days,
        rules.half_life_days,
        rules.recent_items,
        row_number() over (
            partition by training.training_set, training.member_key
            order by
                training.last_date desc nulls last,
                training.weight desc nulls last,
                training.event_product_id asc nulls last
        ) as recency
    from training
    inner join asked
        on training.training_set = asked.training_set
        and training.member_key = asked.member_key
    inner join products on training.event_product_id = products.event_product_id
    -- one row
    cross join rules

),

final as (

    select
        training_set,
        member_key,
        event_product_id,
        category,
        sido_code,
        -- whole millionths, so that a sum doesn't depend on its order
        cast(floor(
            exp(-age_days * ln(2) / half_life_days) * 1000000 + 0.5
        ) as {{ dbt.type_bigint() }}) as decay_millionths
    from dated
    where recency <= recent_items

)

select * from final

{{ config(materialized='table') }}
with interests as (

    select * from {{ ref('int_marketing__item_interests') }}

),

holdouts as (

    select * from {{ ref('int_marketing__recommendation_holdouts') }}

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

-- of who is asked, nothing from the day of the last application on, and nothing of its offer
sets as (

    select
        'all' as training_set,
        member_key,
        event_product_id,
        interest_date,
        weight,
        is_application,
        is_recent
    from interests
    union all
    select
        'held_out' as training_set,
        interests.member_key,
        interests.event_product_id,
        interests.interest_date,
        interests.weight,
        interests.is_application,
        interests.is_recent
    from interests
    left join holdouts on interests.member_key = holdouts.member_key
    where holdouts.member_key is null
        or (
            interests.interest_date < holdouts.held_out_date
            and interests.event_product_id <> holdouts.event_product_id
        )

),

final as (

    select
        sets.training_set,
        sets.member_key,
        sets.event_product_id,
        max(sets.interest_date) as last_date,
        max(case when sets.is_application then 1 else 0 end) = 1 as has_applied,
        max(case when sets.is_recent then 1 else 0 end) = 1 as is_recent,
        -- the cap keeps one busy person from deciding what is alike
        cast(least(
            sum(case when sets.is_recent then sets.weight else 0 end), max(rules.weight_cap)
        ) as {{ dbt.type_bigint() }}) as weight
    from sets
    -- one row
    cross join rules
    group by sets.training_set, sets.member_key, sets.event_product_id

)

select * from final

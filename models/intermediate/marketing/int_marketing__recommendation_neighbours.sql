{{ config(materialized='table') }}
with recent_items as (

    select * from {{ ref('int_marketing__recommendation_recent_items') }}

),

similarities as (

    select * from {{ ref('int_marketing__item_similarities') }}

),

contributions as (

    select
        recent_items.training_set,
        recent_items.member_key,
        similarities.similar_event_product_id as event_product_id,
        recent_items.event_product_id as reason_event_product_id,
        recent_items.decay_millionths * similarities.score_millionths as points
    from recent_items
    inner join similarities
        on recent_items.training_set = similarities.training_set
        and recent_items.event_product_id = similarities.event_product_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by training_set, member_key, event_product_id
            order by points desc nulls last, reason_event_product_id asc nulls last
        ) as reason_rank
    from contributions

),

final as (

    select
        training_set,
        member_key,
        event_product_id,
        cast(sum(points) as {{ dbt.type_bigint() }}) as points,
        max(case when reason_rank = 1 then reason_event_product_id end)
            as reason_event_product_id
    from ranked
    group by training_set, member_key, event_product_id

)

select * from final

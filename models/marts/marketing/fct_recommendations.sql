-- One row is an offer for a member who agreed to marketing, with its place in the member's list.

with lists as (

    select *
    from {{ ref('int_marketing__recommendation_lists') }}
    where training_set = 'all'
        and list_name = 'item_item'

),

final as (

    select
        member_key,
        recommendation_rank,
        event_product_id,
        case when not is_back_off then {{ ratio('points', 1000000000000) }} end as score,
        reason_event_product_id,
        is_back_off,
        as_of_date,
        model_version
    from lists

)

select * from final

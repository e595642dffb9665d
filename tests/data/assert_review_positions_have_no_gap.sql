-- A list's places are 1, 2, 3 …: as many as the reviews that count.
with lists as (

    select
        list_type,
        case list_type when 'hospital' then hospital_id else event_product_id end as list_id,
        max(list_review_count) as review_count,
        count(list_position) as place_count,
        count(distinct list_position) as different_place_count,
        coalesce(max(list_position), 0) as last_place
    from {{ ref('fct_review_order') }}
    group by
        list_type,
        case list_type when 'hospital' then hospital_id else event_product_id end

)

select *
from lists
where not (
        review_count = place_count
        and place_count = different_place_count
        and different_place_count = last_place
    )

-- A list that foresees applications worse than what is popular, by hit@10 or MRR, isn't worth its
-- use of behaviour: the build fails and the last good list stays published. Fewer than 100 members
-- tell nothing: then it passes.
with evaluation as (

    select * from {{ ref('fct_recommendation_evaluation') }}
    where has_enough_members

)

select
    item_item.region_scope,
    item_item.hit_rate,
    popularity.hit_rate as popularity_hit_rate,
    item_item.mean_reciprocal_rank,
    popularity.mean_reciprocal_rank as popularity_mean_reciprocal_rank
from evaluation as item_item
inner join evaluation as popularity
    on item_item.region_scope = popularity.region_scope
    and item_item.model_name = 'item_item'
    and popularity.model_name = 'popularity'
where item_item.hit_rate < popularity.hit_rate
    or item_item.mean_reciprocal_rank < popularity.mean_reciprocal_rank

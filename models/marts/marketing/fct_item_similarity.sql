-- One row is an offer and another that the same people took an interest in.

with similarities as (

    select *
    from {{ ref('int_marketing__item_similarities') }}
    where training_set = 'all'

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

final as (

    select
        similarities.event_product_id,
        similarities.similar_event_product_id,
        similarities.similarity_rank,
        rules.since_date,
        rules.as_of_date,
        similarities.all_people,
        similarities.people,
        similarities.similar_people,
        similarities.people_of_both,
        similarities.lift,
        {%- for measure in ['npmi', 'cosine', 'score'] %}
            {{ ratio('similarities.' ~ measure ~ '_millionths', 1000000) }} as {{ measure }},
        {%- endfor %}
        similarities.jaccard,
        rules.model_version
    from similarities
    -- one row
    cross join rules

)

select * from final

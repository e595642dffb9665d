{{ config(materialized='table') }}
with training as (

    select *
    from {{ ref('int_marketing__item_training') }}
    where is_recent

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

-- who looks at everything, as crawlers do, says nothing of what is alike
person_items as (

    select
        *,
        count(*) over (partition by training_set, member_key) as item_count
    from training

),

counted as (

    select
        person_items.training_set,
        person_items.member_key,
        person_items.event_product_id,
        person_items.weight,
        count(*) over (
            partition by person_items.training_set, person_items.event_product_id
        ) as people,
        sum(person_items.weight * person_items.weight) over (
            partition by person_items.training_set, person_items.event_product_id
        ) as weight_square
    from person_items
    -- one row
    cross join rules
    where person_items.item_count <= rules.most_items_of_a_person

),

totals as (

    select
        training_set,
        count(distinct member_key) as all_people
    from counted
    group by training_set

),

pairs as (

    select
        counted.training_set,
        counted.event_product_id,
        others.event_product_id as similar_event_product_id,
        max(counted.people) as people,
        max(others.people) as similar_people,
        count(*) as people_of_both,
        cast(max(counted.weight_square) as {{ dbt.type_bigint() }}) as weight_square,
        cast(max(others.weight_square) as {{ dbt.type_bigint() }}) as similar_weight_square,
        cast(sum(counted.weight * others.weight) as {{ dbt.type_bigint() }}) as weight_product
    from counted
    inner join counted as others
        on counted.training_set = others.training_set
        and counted.member_key = others.member_key
        and counted.event_product_id <> others.event_product_id
    group by
        counted.training_set, counted.event_product_id, others.event_product_id

),

measured as (

    select
        pairs.training_set,
        pairs.event_product_id,
        pairs.similar_event_product_id,
        pairs.people,
        pairs.similar_people,
        pairs.people_of_both,
        totals.all_people,
        rules.most_pairs_of_an_item,
        {{ ratio(
            'pairs.people_of_both * totals.all_people', 'pairs.people * pairs.similar_people'
        ) }} as lift,
        {{ ratio(
            'pairs.people_of_both', 'pairs.people + pairs.similar_people - pairs.people_of_both'
        ) }} as jaccard,
        -- steps that every engine rounds alike, down to whole millionths
        case
            when pairs.people_of_both = totals.all_people then 1000000
            else cast(floor((
                    ln(pairs.people_of_both * totals.all_people)
                    - ln(pairs.people * pairs.similar_people)
                ) / (ln(totals.all_people) - ln(pairs.people_of_both)) * 1000000 + 0.5)
                as {{ dbt.type_bigint() }})
        end as npmi_millionths,
        cast(floor(
            pairs.people_of_both / sqrt(pairs.people * pairs.similar_people) * 1000000 + 0.5
        ) as {{ dbt.type_bigint() }}) as cosine_millionths,
        cast(floor(
            pairs.weight_product / (
                sqrt(pairs.weight_square) * sqrt(pairs.similar_weight_square)
            ) * pairs.people_of_both / (pairs.people_of_both + rules.shrinkage) * 1000000 + 0.5
        ) as {{ dbt.type_bigint() }}) as score_millionths
    from pairs
    inner join totals on pairs.training_set = totals.training_set
    -- one row
    cross join rules
    where pairs.people >= rules.least_people_of_an_item
        and pairs.similar_people >= rules.least_people_of_an_item
        and pairs.people_of_both >= rules.least_people_of_a_pair

),

ranked as (

    select
        *,
        row_number() over (
            partition by training_set, event_product_id
            order by
                score_millionths desc nulls last,
                people_of_both desc nulls last,
                similar_event_product_id asc nulls last
        ) as similarity_rank
    from measured

),

final as (

    select *
    from ranked
    where similarity_rank <= most_pairs_of_an_item

)

select * from final

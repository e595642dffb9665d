-- One row is a way to recommend, and how well it would have foreseen members' last applications.

with lists as (

    select *
    from {{ ref('int_marketing__recommendation_lists') }}
    where training_set = 'held_out'

),

holdouts as (

    select * from {{ ref('int_marketing__recommendation_holdouts') }}

),

products as (

    select *
    from {{ ref('dim_event_products') }}
    where not is_sensitive

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

judged as (

    {% for model_name, region_scope in [
        ('item_item', 'own'), ('popularity', 'own'), ('item_item', 'any'), ('popularity', 'any'),
    ] %}
        select
            '{{ model_name }}' as model_name,
            '{{ region_scope }}' as region_scope
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

found as (

    select
        judged.model_name,
        judged.region_scope,
        holdouts.member_key,
        lists.recommendation_rank,
        lists.is_back_off
    from judged
    cross join holdouts
    left join lists
        on judged.model_name = lists.list_name
        and judged.region_scope = lists.region_scope
        and holdouts.member_key = lists.member_key
        and holdouts.event_product_id = lists.event_product_id

),

figures as (

    select
        model_name,
        region_scope,
        count(*) as member_count,
        count(case when recommendation_rank <= 10 then 1 end) as hit_count,
        count(case when recommendation_rank <= 10 and not is_back_off then 1 end)
            as neighbour_hit_count,
        sum(coalesce({{ ratio(1, 'recommendation_rank') }}, 0)) as reciprocal_ranks
    from found
    group by model_name, region_scope

),

shown as (

    select
        list_name,
        region_scope,
        count(distinct event_product_id) as item_count
    from lists
    where recommendation_rank <= 10
    group by list_name, region_scope

),

offers as (

    select count(*) as item_count from products

),

final as (

    select
        figures.model_name,
        figures.region_scope,
        rules.as_of_date,
        figures.member_count,
        figures.hit_count,
        figures.neighbour_hit_count,
        {{ ratio('figures.hit_count', 'figures.member_count') }} as hit_rate,
        {{ ratio('figures.reciprocal_ranks', 'figures.member_count') }} as mean_reciprocal_rank,
        {{ ratio('coalesce(shown.item_count, 0)', 'offers.item_count') }} as coverage_rate,
        figures.member_count >= 100 as has_enough_members,
        rules.model_version
    from figures
    left join shown
        on figures.model_name = shown.list_name
        and figures.region_scope = shown.region_scope
    -- one row each
    cross join offers
    cross join rules

)

select * from final

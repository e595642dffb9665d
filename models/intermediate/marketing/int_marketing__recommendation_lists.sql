{{ config(materialized='table') }}
with neighbours as (

    select * from {{ ref('int_marketing__recommendation_neighbours') }}

),

back_off as (

    select * from {{ ref('int_marketing__recommendation_back_off') }}

),

asked as (

    select * from {{ ref('int_marketing__recommendation_asked') }}

),

regions as (

    select * from {{ ref('int_marketing__recommendation_regions') }}

),

applied as (

    select *
    from {{ ref('int_marketing__item_training') }}
    where has_applied

),

products as (

    select *
    from {{ ref('dim_event_products') }}
    where not is_sensitive

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

{% set nothing = 'cast(null as ' ~ dbt.type_bigint() ~ ')' %}
scopes as (

    select distinct
        region_scope,
        training_set
    from regions

),

candidates as (

    select
        'item_item' as list_name,
        scopes.region_scope,
        neighbours.training_set,
        neighbours.member_key,
        neighbours.event_product_id,
        false as is_back_off,
        true as is_own_category,
        neighbours.points,
        neighbours.reason_event_product_id
    from neighbours
    inner join scopes on neighbours.training_set = scopes.training_set
    union all
    select
        'item_item' as list_name,
        back_off.region_scope,
        back_off.training_set,
        back_off.member_key,
        back_off.event_product_id,
        true as is_back_off,
        back_off.is_own_category,
        back_off.people as points,
        {{ nothing }} as reason_event_product_id
    from back_off
    left join neighbours
        on back_off.training_set = neighbours.training_set
        and back_off.member_key = neighbours.member_key
        and back_off.event_product_id = neighbours.event_product_id
    where neighbours.member_key is null
    union all
    -- what the neighbours have to beat
    select
        'popularity' as list_name,
        region_scope,
        training_set,
        member_key,
        event_product_id,
        true as is_back_off,
        is_own_category,
        people as points,
        {{ nothing }} as reason_event_product_id
    from back_off
    where training_set = 'held_out'

),

open_candidates as (

    select
        candidates.*,
        asked.as_of_date,
        coalesce(products.sido_code, '(none)') as offer_sido_code
    from candidates
    inner join asked
        on candidates.training_set = asked.training_set
        and candidates.member_key = asked.member_key
    inner join products
        on candidates.event_product_id = products.event_product_id
        and coalesce(products.starts_date, asked.as_of_date) <= asked.as_of_date
        and coalesce(products.ends_date, asked.as_of_date) >= asked.as_of_date
    left join applied
        on candidates.training_set = applied.training_set
        and candidates.member_key = applied.member_key
        and candidates.event_product_id = applied.event_product_id
    where applied.member_key is null

),

ranked as (

    select
        open_candidates.*,
        rules.model_version,
        rules.list_length,
        row_number() over (
            partition by
                open_candidates.list_name, open_candidates.region_scope,
                open_candidates.training_set, open_candidates.member_key
            order by
                open_candidates.is_back_off asc nulls last,
                open_candidates.is_own_category desc nulls last,
                open_candidates.points desc nulls last,
                open_candidates.event_product_id asc nulls last
        ) as recommendation_rank
    from open_candidates
    inner join regions
        on open_candidates.region_scope = regions.region_scope
        and open_candidates.training_set = regions.training_set
        and open_candidates.member_key = regions.member_key
        and regions.sido_code in (open_candidates.offer_sido_code, '(all)')
    -- one row
    cross join rules

),

final as (

    select *
    from ranked
    where recommendation_rank <= list_length

)

select * from final

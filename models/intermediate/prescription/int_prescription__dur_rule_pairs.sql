with rules as (

    select * from {{ ref('stg_mfds_dur__rules') }}
    where not is_deleted and not is_repeat

),

told_pairs as (

    select
        dur_category,
        ingredient_name,
        counterpart_name,
        load_id
    from rules
    where counterpart_name is not null

    union all

    select
        one.dur_category,
        one.ingredient_name,
        other.ingredient_name as counterpart_name,
        greatest(one.load_id, other.load_id) as load_id
    from rules as one
    inner join rules as other
        on
        one.dur_category = other.dur_category
        and one.group_code = other.group_code
        and one.ingredient_name < other.ingredient_name

),

final as (

    select
        dur_category,
        ingredient_name,
        counterpart_name,
        max(load_id) as load_id
    from told_pairs
    group by dur_category, ingredient_name, counterpart_name

)

select * from final

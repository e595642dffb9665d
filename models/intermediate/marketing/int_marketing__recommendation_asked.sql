with members as (

    select * from {{ ref('int_marketing__recommendation_members') }}

),

holdouts as (

    select * from {{ ref('int_marketing__recommendation_holdouts') }}

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

final as (

    select
        'all' as training_set,
        members.member_key,
        members.sido_code,
        members.birth_year_band,
        rules.as_of_date
    from members
    -- one row
    cross join rules
    union all
    select
        'held_out' as training_set,
        members.member_key,
        members.sido_code,
        members.birth_year_band,
        holdouts.held_out_date as as_of_date
    from members
    inner join holdouts on members.member_key = holdouts.member_key

)

select * from final

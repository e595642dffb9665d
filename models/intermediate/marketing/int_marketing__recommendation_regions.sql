{{ config(materialized='table') }}
-- Where somebody lives and where they looked at offers; of who tells neither, any. Who is asked
-- what they will apply for is asked of offers anywhere, too.
with asked as (

    select * from {{ ref('int_marketing__recommendation_asked') }}

),

recent_items as (

    select * from {{ ref('int_marketing__recommendation_recent_items') }}

),

told as (

    select
        training_set,
        member_key,
        sido_code
    from asked
    where sido_code is not null
    union all
    select
        training_set,
        member_key,
        sido_code
    from recent_items

),

regions as (

    select distinct
        training_set,
        member_key,
        sido_code
    from told

),

final as (

    select
        'own' as region_scope,
        asked.training_set,
        asked.member_key,
        coalesce(regions.sido_code, '(all)') as sido_code,
        asked.birth_year_band
    from asked
    left join regions
        on asked.training_set = regions.training_set
        and asked.member_key = regions.member_key
    union all
    select
        'any' as region_scope,
        training_set,
        member_key,
        '(all)' as sido_code,
        birth_year_band
    from asked
    where training_set = 'held_out'

)

select * from final

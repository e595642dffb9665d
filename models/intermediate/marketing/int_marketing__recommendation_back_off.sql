{{ config(materialized='table') }}
-- What is popular where a member may go: in the categories that they looked at, and in all.
with regions as (

    select * from {{ ref('int_marketing__recommendation_regions') }}

),

recent_items as (

    select * from {{ ref('int_marketing__recommendation_recent_items') }}

),

popularity as (

    select * from {{ ref('int_marketing__item_popularity') }}

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

wanted as (

    select
        region_scope,
        training_set,
        member_key,
        sido_code,
        '(all)' as category,
        birth_year_band
    from regions
    union all
    select distinct
        regions.region_scope,
        regions.training_set,
        regions.member_key,
        regions.sido_code,
        recent_items.category,
        regions.birth_year_band
    from regions
    inner join recent_items
        on regions.training_set = recent_items.training_set
        and regions.member_key = recent_items.member_key

),

cells as (

    select distinct
        training_set,
        sido_code,
        category,
        birth_year_band
    from popularity

),

-- the member's own age band where enough people are in it
chosen as (

    select
        wanted.region_scope,
        wanted.training_set,
        wanted.member_key,
        wanted.sido_code,
        wanted.category,
        coalesce(cells.birth_year_band, '(all)') as birth_year_band
    from wanted
    left join cells
        on wanted.training_set = cells.training_set
        and wanted.sido_code = cells.sido_code
        and wanted.category = cells.category
        and wanted.birth_year_band = cells.birth_year_band

),

final as (

    select
        chosen.region_scope,
        chosen.training_set,
        chosen.member_key,
        popularity.event_product_id,
        max(case when chosen.category = '(all)' then 0 else 1 end) = 1 as is_own_category,
        max(popularity.people) as people
    from chosen
    inner join popularity
        on chosen.training_set = popularity.training_set
        and chosen.sido_code = popularity.sido_code
        and chosen.category = popularity.category
        and chosen.birth_year_band = popularity.birth_year_band
    -- one row
    cross join rules
    where popularity.popularity_rank <= rules.back_off_length
    group by
        chosen.region_scope, chosen.training_set, chosen.member_key, popularity.event_product_id

)

select * from final

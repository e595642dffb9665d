-- Of each day the newest load that any of its figures depends on. Figures of older extractions are
-- kept, so a day whose rows all vanished is here too.
with figures as (

    select * from {{ ref('int_marketing__ad_figures') }}

),

final as (

    select
        stat_date,
        max(load_id) as load_id
    from figures
    group by stat_date

)

select * from final

-- A day of a campaign changes with what its media report and with what first parties did on it.
with report_changes as (

    select * from {{ ref('int_marketing__ad_report_changes') }}

),

conversion_changes as (

    select * from {{ ref('int_marketing__conversion_changes') }}

),

touched as (

    select
        stat_date,
        load_id
    from report_changes
    union all
    select
        created_date as stat_date,
        load_id
    from conversion_changes
    where created_date is not null

),

final as (

    select
        stat_date,
        max(load_id) as load_id
    from touched
    group by stat_date

)

select * from final

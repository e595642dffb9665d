-- A channel's value in a month depends on all paths of the month.
with path_changes as (

    select * from {{ ref('int_marketing__attribution_path_changes') }}

),

final as (

    select
        cast({{ dbt.date_trunc('month', 'created_date') }} as date) as month_start_date,
        max(load_id) as load_id
    from path_changes
    group by cast({{ dbt.date_trunc('month', 'created_date') }} as date)

)

select * from final

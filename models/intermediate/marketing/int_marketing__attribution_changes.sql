-- A conversion's credits depend on its channels' values, hence on all paths of its month.
with month_changes as (

    select * from {{ ref('int_marketing__attribution_month_changes') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

final as (

    select
        dates.calendar_date as created_date,
        month_changes.load_id
    from month_changes
    inner join dates on month_changes.month_start_date = dates.month_start_date

)

select * from final

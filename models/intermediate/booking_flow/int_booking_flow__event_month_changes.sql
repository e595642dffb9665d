-- A case counts in the month of its last event: when it goes on, both months change.
with event_changes as (

    select * from {{ ref('int_booking_flow__event_changes') }}

),

final as (

    select
        cast({{ dbt.date_trunc('month', 'occurred_date') }} as date) as month_start_date,
        max(load_id) as load_id
    from event_changes
    group by cast({{ dbt.date_trunc('month', 'occurred_date') }} as date)

)

select * from final

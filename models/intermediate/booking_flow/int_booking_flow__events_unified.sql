with deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}

),

final as (

    select
        event_id,
        entity as event_log,
        cast(entity_id as {{ dbt.type_string() }}) as case_id,
        entity_id,
        event_type as activity,
        step_order as tie_breaker,
        is_terminal,
        actor,
        occurred_at,
        occurred_date,
        received_at,
        load_id
    from deliveries

)

select * from final

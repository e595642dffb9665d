with deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}

),

-- repeats of these stand on other lines, which is their order, so they stay out
log_events as (

    select * from {{ ref('stg_event_logs__events') }}
    where is_step and not is_deleted and not is_repeat

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
        is_repeat,
        load_id
    from deliveries

    union all

    select
        event_id,
        event_log,
        case_id,
        cast(null as {{ dbt.type_bigint() }}) as entity_id,
        activity,
        tie_breaker,
        cast(null as {{ dbt.type_boolean() }}) as is_terminal,
        cast(null as {{ dbt.type_string() }}) as actor,
        occurred_at,
        occurred_date,
        cast(null as {{ dbt.type_timestamp() }}) as received_at,
        is_repeat,
        load_id
    from log_events

)

select * from final

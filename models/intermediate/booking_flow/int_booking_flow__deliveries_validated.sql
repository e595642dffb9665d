with deliveries as (

    select * from {{ ref('stg_flow_events__events') }}

),

event_types as (

    select * from {{ ref('flow_event_types') }}

),

final as (

    select
        deliveries.event_id,
        deliveries.entity,
        deliveries.entity_id,
        deliveries.event_type,
        cast(event_types.step_order as {{ dbt.type_bigint() }}) as step_order,
        event_types.is_terminal,
        deliveries.actor,
        deliveries.occurred_at,
        deliveries.occurred_date,
        deliveries.received_at,
        deliveries.is_repeat,
        deliveries.load_id
    from deliveries
    inner join event_types
        on
        deliveries.entity = event_types.entity
        and deliveries.event_type = event_types.event_type
    where not deliveries.is_deleted

)

select * from final

{{ replaces_days(
    'occurred_date', changes='int_booking_flow__event_changes',
    looked_up_by=['entity_id', 'event_id'],
) }}
-- One row is a valid event of a booking or reception, with its place in the case.
{% set in_days = in_days_to_replace('occurred_date') %}

with deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}

),

-- a place in the case needs the whole case, whatever the days of its other events
cases as (

    select
        entity,
        entity_id
    from deliveries
    where {{ in_days }}
    group by entity, entity_id

),

events as (

    select
        deliveries.event_id,
        deliveries.entity,
        deliveries.entity_id,
        deliveries.event_type,
        deliveries.step_order,
        deliveries.is_terminal,
        deliveries.occurred_at,
        deliveries.occurred_date,
        min(deliveries.actor) as actor,
        min(deliveries.received_at) as received_at,
        count(*) as delivery_count,
        max(deliveries.load_id) as load_id
    from deliveries
    inner join cases
        on
        deliveries.entity = cases.entity
        and deliveries.entity_id = cases.entity_id
    group by
        deliveries.event_id,
        deliveries.entity,
        deliveries.entity_id,
        deliveries.event_type,
        deliveries.step_order,
        deliveries.is_terminal,
        deliveries.occurred_at,
        deliveries.occurred_date

),

sequenced as (

    select
        event_id,
        entity,
        entity_id,
        event_type,
        step_order,
        is_terminal,
        actor,
        occurred_at,
        occurred_date,
        received_at,
        delivery_count,
        row_number() over (
            partition by entity, entity_id
            order by occurred_at nulls last, step_order nulls last, event_id nulls last
        ) as sequence_no,
        max(load_id) over (partition by entity, entity_id) as case_load_id
    from events

),

final as (

    select
        event_id,
        entity,
        entity_id,
        cast(sequence_no as {{ dbt.type_bigint() }}) as sequence_no,
        event_type,
        step_order,
        is_terminal,
        actor,
        occurred_at,
        occurred_date,
        received_at,
        cast({{ seconds_between('occurred_at', 'received_at') }} as {{ dbt.type_bigint() }})
            as delivery_seconds,
        cast(delivery_count as {{ dbt.type_bigint() }}) as delivery_count,
        case_load_id as load_id
    from sequenced
    where {{ in_days }}

)

select * from final

with deliveries as (

    select * from {{ ref('stg_flow_events__events') }}

),

-- an event moves the sequence numbers of its whole case, so each of the case's days changes with it
final as (

    select
        siblings.occurred_date,
        deliveries.load_id
    from deliveries
    inner join deliveries as siblings
        on
        deliveries.entity = siblings.entity
        and deliveries.entity_id = siblings.entity_id

)

select * from final

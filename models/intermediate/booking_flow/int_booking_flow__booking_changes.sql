with bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

deliveries as (

    select * from {{ ref('stg_flow_events__events') }}
    where entity = 'booking'

),

reception_changes as (

    select * from {{ ref('int_booking_flow__reception_changes') }}

),

final as (

    select
        created_date,
        load_id
    from bookings

    union all

    select
        bookings.created_date,
        deliveries.load_id
    from deliveries
    inner join bookings
        on deliveries.entity_id = bookings.booking_id

    union all

    select
        bookings.created_date,
        reception_changes.load_id
    from reception_changes
    inner join bookings
        on reception_changes.booking_id = bookings.booking_id

)

select * from final

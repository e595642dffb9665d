with bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

final as (

    select
        'booking' as event_log,
        booking_id as entity_id,
        hospital_id,
        load_id
    from bookings

    union all

    select
        'reception' as event_log,
        reception_id as entity_id,
        hospital_id,
        load_id
    from receptions

)

select * from final

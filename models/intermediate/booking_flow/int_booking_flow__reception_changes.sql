with receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

deliveries as (

    select * from {{ ref('stg_flow_events__events') }}
    where entity = 'reception'

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

final as (

    select
        created_date,
        booking_id,
        load_id
    from receptions

    union all

    select
        receptions.created_date,
        receptions.booking_id,
        deliveries.load_id
    from deliveries
    inner join receptions
        on deliveries.entity_id = receptions.reception_id

    union all

    select
        receptions.created_date,
        receptions.booking_id,
        persons.load_id
    from persons
    inner join receptions
        on persons.member_key = receptions.member_key

)

select * from final

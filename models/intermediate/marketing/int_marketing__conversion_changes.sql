-- Every change that can alter a conversion, by the day on which the conversion's row was created.
with leads as (

    select * from {{ ref('stg_app_db__event_leads') }}

),

products as (

    select * from {{ ref('stg_app_db__event_products') }}

),

bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

payments as (

    select * from {{ ref('stg_app_db__payments') }}

),

flow_events as (

    select * from {{ ref('stg_flow_events__events') }}

),

-- a campaign that was renamed or dropped leaves no trace by name: any change concerns all names
campaigns as (

    select max(load_id) as load_id from {{ ref('stg_app_db__campaigns_internal') }}

),

-- of an event that a file's new content pushed out of raw nothing tells whose it was
forgotten as (

    select max(load_id) as load_id
    from {{ ref('stg_ledger__moves') }}
    where source_name = 'flow_events' and table_name = 'events' and kind = 'replaced'

),

-- visits and payments depend on the rows that lead to them
visits as (

    select
        receptions.reception_id,
        receptions.created_date,
        receptions.booking_id,
        bookings.campaign,
        receptions.load_id,
        coalesce(bookings.load_id, 0) as booking_load_id
    from receptions
    left join bookings on receptions.booking_id = bookings.booking_id

),

paid_visits as (

    select
        payments.created_date,
        visits.campaign,
        payments.load_id,
        greatest(coalesce(visits.load_id, 0), coalesce(visits.booking_load_id, 0))
            as visit_load_id
    from payments
    left join visits on payments.reception_id = visits.reception_id

),

named as (

    select
        created_date,
        campaign
    from leads
    union all
    select
        created_date,
        campaign
    from bookings
    union all
    select
        created_date,
        campaign
    from visits
    union all
    select
        created_date,
        campaign
    from paid_visits

),

final as (

    select
        created_date,
        load_id
    from leads
    union all
    -- a lead decides whether the next one is its repeat, which may fall on the next day
    select
        {{ kst_date(dbt.dateadd('second', 60, 'created_at')) }} as created_date,
        load_id
    from leads
    union all
    select
        leads.created_date,
        products.load_id
    from leads
    inner join products on leads.event_product_id = products.event_product_id
    union all
    select
        created_date,
        load_id
    from bookings
    union all
    select
        created_date,
        greatest(load_id, booking_load_id) as load_id
    from visits
    union all
    select
        created_date,
        greatest(load_id, visit_load_id) as load_id
    from paid_visits
    union all
    select
        bookings.created_date,
        flow_events.load_id
    from flow_events
    inner join bookings
        on flow_events.entity_id = bookings.booking_id
        and flow_events.entity = 'booking'
    union all
    select
        visits.created_date,
        flow_events.load_id
    from flow_events
    inner join visits
        on flow_events.entity_id = visits.reception_id
        and flow_events.entity = 'reception'
    union all
    select
        bookings.created_date,
        forgotten.load_id
    from bookings
    -- one row
    cross join forgotten
    where forgotten.load_id is not null
    union all
    select
        visits.created_date,
        forgotten.load_id
    from visits
    -- one row
    cross join forgotten
    where forgotten.load_id is not null
    union all
    select
        named.created_date,
        campaigns.load_id
    from named
    -- one row
    cross join campaigns
    where named.campaign is not null

)

select * from final

-- Every change that can alter a member's interest in an event product, by the day of the interest.
with event_days as (

    select *
    from {{ ref('stg_ledger__days') }}
    where source_name = 'app_events' and table_name = 'events'

),

leads as (

    select * from {{ ref('stg_app_db__event_leads') }}

),

products as (

    select * from {{ ref('stg_app_db__event_products') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

final as (

    select
        touched_date as interest_date,
        load_id
    from event_days
    union all
    select
        created_date as interest_date,
        load_id
    from leads
    union all
    -- a lead decides whether the next one is its repeat, which may fall on the next day
    select
        {{ kst_date(dbt.dateadd('second', 60, 'created_at')) }} as interest_date,
        load_id
    from leads
    union all
    -- the clinic of an offer says which visits followed an application
    select
        leads.created_date as interest_date,
        products.load_id
    from leads
    inner join products on leads.event_product_id = products.event_product_id
    union all
    select
        leads.created_date as interest_date,
        receptions.load_id
    from leads
    inner join products on leads.event_product_id = products.event_product_id
    inner join receptions
        on leads.member_key = receptions.member_key
        and products.hospital_id = receptions.hospital_id

)

select * from final

with leads as (

    select *
    from {{ ref('stg_app_db__event_leads') }}
    where not is_deleted
        and not is_repeat

),

products as (

    select * from {{ ref('stg_app_db__event_products') }}

),

bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

booking_outcomes as (

    select * from {{ ref('int_marketing__booking_outcomes') }}

),

visits as (

    select * from {{ ref('int_marketing__visits') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

payments as (

    select *
    from {{ ref('stg_app_db__payments') }}
    where not is_deleted
        and payment_status = 'paid'
        and amount_krw > 0

),

unified as (

    select
        'application' as conversion_type,
        leads.event_lead_id as source_id,
        leads.created_date,
        leads.created_at as converted_at,
        leads.member_key,
        products.hospital_id,
        leads.event_product_id,
        leads.campaign,
        cast(0 as {{ dbt.type_bigint() }}) as value_krw,
        coalesce(lower(trim(leads.source_status)) = 'cancelled', false) as is_cancelled,
        cast(null as {{ dbt.type_timestamp() }}) as cancelled_at,
        greatest(leads.load_id, coalesce(products.load_id, 0)) as load_id
    from leads
    left join products on leads.event_product_id = products.event_product_id
    union all
    select
        'booking' as conversion_type,
        booking_id as source_id,
        created_date,
        created_at as converted_at,
        member_key,
        hospital_id,
        cast(null as {{ dbt.type_bigint() }}) as event_product_id,
        campaign,
        cast(0 as {{ dbt.type_bigint() }}) as value_krw,
        is_cancelled,
        cancelled_at,
        load_id
    from booking_outcomes
    union all
    select
        'visit' as conversion_type,
        reception_id as source_id,
        created_date,
        completed_at as converted_at,
        member_key,
        hospital_id,
        cast(null as {{ dbt.type_bigint() }}) as event_product_id,
        campaign,
        cast(0 as {{ dbt.type_bigint() }}) as value_krw,
        false as is_cancelled,
        cast(null as {{ dbt.type_timestamp() }}) as cancelled_at,
        load_id
    from visits
    union all
    select
        'payment' as conversion_type,
        payments.payment_id as source_id,
        payments.created_date,
        payments.paid_at as converted_at,
        payments.member_key,
        receptions.hospital_id,
        cast(null as {{ dbt.type_bigint() }}) as event_product_id,
        nullif(bookings.campaign, '') as campaign,
        cast(round(payments.amount_krw) as {{ dbt.type_bigint() }}) as value_krw,
        false as is_cancelled,
        cast(null as {{ dbt.type_timestamp() }}) as cancelled_at,
        greatest(
            payments.load_id, coalesce(receptions.load_id, 0), coalesce(bookings.load_id, 0)
        ) as load_id
    from payments
    left join receptions on payments.reception_id = receptions.reception_id
    left join bookings on receptions.booking_id = bookings.booking_id

)

select * from unified

-- A visit's month changes with the visit, what was prescribed and paid for it, and with the visits
-- of the 30 days after it; these are over once the data reach a later day.
with reception_changes as (

    select * from {{ ref('int_booking_flow__reception_changes') }}

),

prescription_changes as (

    select * from {{ ref('int_prescription__prescription_changes') }}

),

payments as (

    select * from {{ ref('stg_app_db__payments') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

data_days as (

    select * from {{ ref('int_booking_flow__data_days') }}

),

changed_days as (

    select
        created_date as visit_date,
        load_id
    from reception_changes

    union all

    select
        {{ add_days('created_date', -30) }} as visit_date,
        load_id
    from reception_changes

    union all

    select
        issued_date as visit_date,
        load_id
    from prescription_changes

    union all

    select
        {{ add_days('issued_date', -7) }} as visit_date,
        load_id
    from prescription_changes

    union all

    select
        receptions.created_date as visit_date,
        payments.load_id
    from payments
    inner join receptions
        on payments.reception_id = receptions.reception_id

    union all

    select
        {{ add_days('prior_date', -30) }} as visit_date,
        load_id
    from data_days

    union all

    select
        {{ add_days('created_date', -31) }} as visit_date,
        load_id
    from data_days

),

final as (

    select
        cast({{ dbt.date_trunc('month', 'visit_date') }} as date) as month_start_date,
        load_id
    from changed_days

)

select * from final

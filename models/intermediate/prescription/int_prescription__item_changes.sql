with prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}

),

items as (

    select * from {{ ref('stg_app_db__prescription_items') }}

),

dur_checks as (

    select * from {{ ref('stg_app_db__dur_checks') }}

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

price_list_loads as (

    select * from {{ ref('int_prescription__price_list_loads') }}

),

final as (

    select
        issued_date,
        load_id
    from prescriptions

    union all

    select
        prescriptions.issued_date,
        items.load_id
    from items
    inner join prescriptions
        on prescriptions.prescription_id = items.prescription_id

    union all

    select
        prescriptions.issued_date,
        dur_checks.load_id
    from dur_checks
    inner join prescriptions
        on prescriptions.prescription_id = dur_checks.prescription_id

    union all

    select
        prescriptions.issued_date,
        persons.load_id
    from persons
    inner join prescriptions
        on persons.member_key = prescriptions.member_key

    union all

    select
        issued_date,
        load_id
    from price_list_loads

)

select * from final

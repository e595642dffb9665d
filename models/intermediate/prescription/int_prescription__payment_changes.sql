with prescription_changes as (

    select * from {{ ref('int_prescription__prescription_changes') }}

),

prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}

),

payments as (

    select * from {{ ref('stg_app_db__payments') }}

),

final as (

    select
        issued_date,
        load_id
    from prescription_changes

    union all

    select
        prescriptions.issued_date,
        payments.load_id
    from payments
    inner join prescriptions
        on payments.reception_id = prescriptions.reception_id

    union all

    -- who bears the payment of a visit depends on all of its prescriptions
    select
        sisters.issued_date,
        prescriptions.load_id
    from prescriptions
    inner join prescriptions as sisters
        on
        prescriptions.reception_id = sisters.reception_id
        and prescriptions.issued_date <> sisters.issued_date

)

select * from final

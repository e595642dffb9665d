with item_changes as (

    select * from {{ ref('int_prescription__item_changes') }}

),

prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}

),

diagnoses as (

    select * from {{ ref('stg_app_db__prescription_diagnoses') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

final as (

    select
        issued_date,
        load_id
    from item_changes

    union all

    select
        prescriptions.issued_date,
        diagnoses.load_id
    from diagnoses
    inner join prescriptions
        on prescriptions.prescription_id = diagnoses.prescription_id

    union all

    select
        prescriptions.issued_date,
        receptions.load_id
    from receptions
    inner join prescriptions
        on prescriptions.reception_id = receptions.reception_id

)

select * from final

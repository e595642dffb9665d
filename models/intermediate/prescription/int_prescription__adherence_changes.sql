-- A fill lies within thirty days of its prescription or says its own day; and each new day of data
-- moves the end of what is measured.
with prescription_changes as (

    select * from {{ ref('int_prescription__prescription_changes') }}

),

prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}

),

data_days as (

    select * from {{ ref('int_booking_flow__data_days') }}

),

changed_days as (

    select
        issued_date as changed_date,
        load_id
    from prescription_changes

    union all

    select
        {{ add_days('issued_date', 30) }} as changed_date,
        load_id
    from prescription_changes

    union all

    select
        {{ kst_date('dispensed_at') }} as changed_date,
        load_id
    from prescriptions
    where dispensed_at is not null

    union all

    select
        created_date as changed_date,
        load_id
    from data_days

    union all

    select
        prior_date as changed_date,
        load_id
    from data_days

),

final as (

    select
        cast(
            cast(extract(year from changed_date) as {{ dbt.type_string() }})
            || case when extract(month from changed_date) <= 6 then '-01-01' else '-07-01' end
            as date
        ) as period_start_date,
        load_id
    from changed_days

)

select * from final

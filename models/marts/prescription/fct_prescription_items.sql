{{ replaces_days(
    'issued_date', changes='int_prescription__item_changes',
    looked_up_by=['hospital_id', 'drug_code', 'prescription_id'],
) }}
-- One row is a drug line of a prescription (처방전), with the drug version valid on its day.

with prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}
    where not is_deleted and {{ in_days_to_replace('issued_date') }}

),

items as (

    select * from {{ ref('stg_app_db__prescription_items') }}
    where not is_deleted

),

drugs as (

    select * from {{ ref('dim_drugs') }}

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

dur_checks as (

    select * from {{ ref('stg_app_db__dur_checks') }}
    where not is_deleted

),

price_list_loads as (

    select * from {{ ref('int_prescription__price_list_loads') }}

),

alerts as (

    select
        prescription_id,
        line_no,
        count(*) as alert_count,
        count(override_reason_code) as override_count,
        max(load_id) as load_id
    from dur_checks
    group by prescription_id, line_no

),

measured as (

    select
        prescription_id,
        line_no,
        drug_code,
        dose_per_time,
        times_per_day,
        total_days,
        is_days_valid,
        is_dose_valid,
        case when is_days_valid then total_days end as days_supply,
        cast(
            case
                when is_days_valid and is_dose_valid
                    then dose_per_time * times_per_day * total_days
            end as {{ dbt.type_numeric() }}
        ) as quantity,
        substituted_drug_code,
        is_in_house,
        is_covered,
        load_id
    from items

),

final as (

    select
        measured.prescription_id,
        measured.line_no,
        prescriptions.issued_date,
        prescriptions.member_key,
        coalesce(persons.person_key, prescriptions.member_key) as person_key,
        prescriptions.hospital_id,
        prescriptions.doctor_id,

        measured.drug_code,
        drugs.valid_from as drug_valid_from,
        drugs.drug_code is null as is_unknown_drug,
        drugs.ingredient_code,
        drugs.ingredient4,
        coalesce(drugs.route_code = 'B', false) as is_injection,
        coalesce(drugs.is_antibiotic, false) as is_antibiotic,

        measured.dose_per_time,
        measured.times_per_day,
        measured.total_days,
        measured.days_supply,
        measured.quantity,
        drugs.price_krw as unit_price_krw,
        cast(
            round(drugs.price_krw * measured.quantity) as {{ dbt.type_bigint() }}
        ) as amount_krw,
        measured.is_days_valid,
        measured.is_dose_valid,

        measured.substituted_drug_code,
        coalesce(measured.substituted_drug_code <> measured.drug_code, false) as is_substituted,
        measured.is_in_house,
        measured.is_covered,

        cast(coalesce(alerts.alert_count, 0) as {{ dbt.type_bigint() }}) as dur_alert_count,
        cast(coalesce(alerts.override_count, 0) as {{ dbt.type_bigint() }}) as dur_override_count,

        greatest(
            measured.load_id,
            prescriptions.load_id,
            coalesce(persons.load_id, 0),
            coalesce(alerts.load_id, 0),
            coalesce(price_list_loads.load_id, 0)
        ) as load_id
    from measured
    inner join prescriptions
        on prescriptions.prescription_id = measured.prescription_id
    left join drugs
        on drugs.drug_code = measured.drug_code
        and drugs.valid_from <= prescriptions.issued_date
        and (drugs.valid_to > prescriptions.issued_date or drugs.valid_to is null)
    left join persons
        on prescriptions.member_key = persons.member_key
    left join alerts
        on alerts.prescription_id = measured.prescription_id
        and alerts.line_no = measured.line_no
    left join price_list_loads
        on price_list_loads.issued_date = prescriptions.issued_date

)

select * from final

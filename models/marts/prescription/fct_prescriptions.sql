{{ replaces_days(
    'issued_date', changes='int_prescription__prescription_changes',
    looked_up_by=['hospital_id', 'member_key', 'prescription_id'],
) }}
-- One row is a prescription (처방전).

with prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}
    where not is_deleted and {{ in_days_to_replace('issued_date') }}

),

items as (

    select * from {{ ref('fct_prescription_items') }}
    where {{ in_days_to_replace('issued_date') }}

),

diagnoses as (

    select * from {{ ref('int_prescription__main_diagnoses') }}

),

dur_checks as (

    select * from {{ ref('stg_app_db__dur_checks') }}
    where not is_deleted

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}
    where not is_deleted

),

item_totals as (

    select
        prescription_id,
        count(*) as item_count,
        sum(case when is_unknown_drug then 1 else 0 end) as unknown_drug_item_count,
        count(amount_krw) as priced_item_count,
        max(case when is_injection then 1 else 0 end) as injection_mark,
        max(case when is_antibiotic then 1 else 0 end) as antibiotic_mark,
        max(days_supply) as total_days_max,
        sum(amount_krw) as drug_cost_krw,
        max(load_id) as load_id
    from items
    group by prescription_id

),

alerts as (

    select
        prescription_id,
        count(*) as alert_count,
        count(override_reason_code) as override_count,
        max(load_id) as load_id
    from dur_checks
    group by prescription_id

),

final as (

    select
        prescriptions.prescription_id,
        prescriptions.issued_date,
        prescriptions.issue_no,
        prescriptions.member_key,
        coalesce(persons.person_key, prescriptions.member_key) as person_key,
        prescriptions.hospital_id,
        prescriptions.doctor_id,
        prescriptions.reception_id,
        case
            when prescriptions.reception_id is null then 'none'
            when receptions.reception_id is null then 'missing'
            else 'linked'
        end as reception_link_status,
        prescriptions.insurance_type_code,
        prescriptions.valid_days,
        lower(trim(prescriptions.source_status)) as status,
        prescriptions.sent_at is not null as is_sent,
        coalesce(lower(trim(prescriptions.source_status)) = 'dispensed', false) as is_dispensed,
        {{ kst_date('prescriptions.dispensed_at') }} as dispensed_date,
        -- Postgres forgets the decimals of a case's branches
        cast(
            case
                when prescriptions.dispensed_at >= prescriptions.created_at
                    then {{ ratio(
                        seconds_between('prescriptions.created_at', 'prescriptions.dispensed_at'),
                        '3600',
                    ) }}
            end as {{ dbt.type_numeric() }}
        ) as issue_to_dispense_hours,

        diagnoses.main_kcd_code,
        diagnoses.kcd_chapter_no,
        coalesce(diagnoses.is_main_flagged, false) as is_main_flagged,
        cast(coalesce(diagnoses.diagnosis_count, 0) as {{ dbt.type_bigint() }}) as diagnosis_count,

        cast(coalesce(item_totals.item_count, 0) as {{ dbt.type_bigint() }}) as item_count,
        cast(
            coalesce(item_totals.priced_item_count, 0) as {{ dbt.type_bigint() }}
        ) as priced_item_count,
        cast(
            coalesce(item_totals.unknown_drug_item_count, 0) as {{ dbt.type_bigint() }}
        ) as unknown_drug_item_count,
        coalesce(item_totals.injection_mark, 0) = 1 as has_injection,
        coalesce(item_totals.antibiotic_mark, 0) = 1 as has_antibiotic,
        item_totals.total_days_max,
        cast(coalesce(item_totals.drug_cost_krw, 0) as {{ dbt.type_bigint() }}) as drug_cost_krw,

        cast(coalesce(alerts.alert_count, 0) as {{ dbt.type_bigint() }}) as dur_alert_count,
        cast(coalesce(alerts.override_count, 0) as {{ dbt.type_bigint() }}) as dur_override_count,

        greatest(
            prescriptions.load_id,
            coalesce(item_totals.load_id, 0),
            coalesce(diagnoses.load_id, 0),
            coalesce(persons.load_id, 0),
            coalesce(alerts.load_id, 0),
            coalesce(receptions.load_id, 0)
        ) as load_id
    from prescriptions
    left join item_totals
        on item_totals.prescription_id = prescriptions.prescription_id
    left join diagnoses
        on diagnoses.prescription_id = prescriptions.prescription_id
    left join persons
        on prescriptions.member_key = persons.member_key
    left join alerts
        on alerts.prescription_id = prescriptions.prescription_id
    left join receptions
        on receptions.reception_id = prescriptions.reception_id

)

select * from final

{{ replaces_days(
    'issued_date', changes='int_prescription__dur_changes',
    looked_up_by=['dur_category', 'hospital_id', 'prescription_id'],
) }}
-- One row is an alert of the drug-utilisation review (DUR) on a prescription: a rule that a drug
-- breaks, alone or with another, as reckoned here or as the clinic's own system reported.
with prescriptions as (

    select * from {{ ref('fct_prescriptions') }}
    where {{ in_days_to_replace('issued_date') }}

),

items as (

    select * from {{ ref('fct_prescription_items') }}
    where {{ in_days_to_replace('issued_date') }}

),

hits as (

    select * from {{ ref('int_prescription__dur_hits') }}
    where {{ in_days_to_replace('issued_date') }}

),

dur_checks as (

    select * from {{ ref('stg_app_db__dur_checks') }}
    where not is_deleted

),

seen as (

    select
        prescription_id,
        line_no,
        dur_category,
        drug_code,
        coalesce(counterpart_drug_code, '') as counterpart_drug_code,
        is_across_prescriptions,
        is_certain,
        1 as is_hit,
        0 as is_report,
        cast(null as {{ dbt.type_string() }}) as override_reason_code,
        load_id
    from hits

    union all

    select
        dur_checks.prescription_id,
        dur_checks.line_no,
        dur_checks.dur_category,
        coalesce(items.drug_code, '') as drug_code,
        case
            when length(dur_checks.counterpart_code) < 9
                then lpad(dur_checks.counterpart_code, 9, '0')
            else coalesce(dur_checks.counterpart_code, '')
        end as counterpart_drug_code,
        false as is_across_prescriptions,
        true as is_certain,
        0 as is_hit,
        1 as is_report,
        dur_checks.override_reason_code,
        dur_checks.load_id
    from dur_checks
    left join items
        on
        dur_checks.prescription_id = items.prescription_id
        and dur_checks.line_no = items.line_no

),

-- a pair has no first one, so both sides are told the same way round
pairs as (

    select
        *,
        case
            when counterpart_drug_code <> '' then least(drug_code, counterpart_drug_code)
            else drug_code
        end as first_drug_code,
        case
            when counterpart_drug_code <> '' then greatest(drug_code, counterpart_drug_code)
            else ''
        end as second_drug_code
    from seen

),

alerts as (

    select
        prescription_id,
        dur_category,
        first_drug_code,
        second_drug_code,
        min(line_no) as line_no,
        max(case when is_hit = 1 and is_across_prescriptions then 1 else 0 end) as across_mark,
        max(case when is_hit = 1 and is_certain then 1 else 0 end) as certain_mark,
        max(is_hit) as hit_mark,
        sum(is_report) as report_count,
        max(override_reason_code) as override_reason_code,
        max(load_id) as load_id
    from pairs
    group by prescription_id, dur_category, first_drug_code, second_drug_code

),

final as (

    select
        {{ surrogate_key([
            'alerts.prescription_id', 'alerts.dur_category', 'alerts.first_drug_code',
            'alerts.second_drug_code',
        ]) }} as dur_alert_key,
        alerts.prescription_id,
        prescriptions.issued_date,
        prescriptions.member_key,
        prescriptions.hospital_id,
        alerts.dur_category,
        alerts.line_no,
        nullif(alerts.first_drug_code, '') as drug_code,
        nullif(alerts.second_drug_code, '') as counterpart_drug_code,
        alerts.across_mark = 1 as is_across_prescriptions,
        alerts.certain_mark = 1 or alerts.hit_mark = 0 as is_certain,
        alerts.hit_mark = 1 as is_computed,
        alerts.report_count > 0 as is_reported,
        cast(alerts.report_count as {{ dbt.type_bigint() }}) as report_count,
        alerts.override_reason_code,
        alerts.override_reason_code is not null as is_overridden,
        greatest(alerts.load_id, prescriptions.load_id) as load_id
    from alerts
    inner join prescriptions
        on alerts.prescription_id = prescriptions.prescription_id

)

select * from final

{{ replaces_days(
    'issued_date', changes='int_prescription__payment_changes',
    looked_up_by=['hospital_id', 'link_status', 'prescription_id'],
) }}
-- One row is a prescription with what was paid for its visit. What the pharmacy takes is another
-- party's and isn't here. Of several prescriptions of a visit the first bears the payment.
with prescriptions as (

    select * from {{ ref('fct_prescriptions') }}
    where {{ in_days_to_replace('issued_date') }}

),

all_prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}
    where not is_deleted and reception_id is not null

),

payments as (

    select * from {{ ref('stg_app_db__payments') }}
    where not is_deleted and payment_status in ('paid', 'refunded')

),

bearers as (

    select
        reception_id,
        min(prescription_id) as prescription_id,
        max(load_id) as load_id
    from all_prescriptions
    group by reception_id

),

-- refunds are negative rows
totals as (

    select
        reception_id,
        count(*) as payment_count,
        sum(round(amount_krw)) as paid_krw,
        sum(round(covered_amount_krw)) as covered_krw,
        sum(round(uncovered_amount_krw)) as uncovered_krw,
        sum(case when amount_krw < 0 then -round(amount_krw) else 0 end) as refunded_krw,
        max(load_id) as load_id
    from payments
    where reception_id is not null
    group by reception_id

),

linked as (

    select
        prescriptions.*,
        case
            when prescriptions.reception_link_status <> 'linked'
                then prescriptions.reception_link_status
            when totals.reception_id is null then 'no_payment'
            when bearers.prescription_id <> prescriptions.prescription_id then 'shared'
            else 'linked'
        end as link_status,
        totals.payment_count,
        totals.paid_krw,
        totals.covered_krw,
        totals.uncovered_krw,
        totals.refunded_krw,
        greatest(
            prescriptions.load_id, coalesce(bearers.load_id, 0), coalesce(totals.load_id, 0)
        ) as newest_load_id
    from prescriptions
    left join bearers
        on prescriptions.reception_id = bearers.reception_id
    left join totals
        on prescriptions.reception_id = totals.reception_id

),

final as (

    select
        prescription_id,
        issued_date,
        member_key,
        hospital_id,
        reception_id,
        link_status,
        {% for name in [
            'payment_count', 'paid_krw', 'covered_krw', 'uncovered_krw', 'refunded_krw',
        ] %}
            cast(
                case when link_status = 'linked' then {{ name }} end as {{ dbt.type_bigint() }}
            ) as {{ name }},
        {% endfor %}
        newest_load_id as load_id
    from linked

)

select * from final

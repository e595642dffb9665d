{{ replaces_days(
    'month_start_date', changes='int_booking_flow__care_pathway_changes',
    looked_up_by=['reception_id'],
) }}
-- A table, since three rounds of counting people read it.
with receptions as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'created_date') }} as date) as month_start_date
    from {{ ref('fct_receptions') }}
    where is_completed and {{ in_days_to_replace('created_date', days_after=60) }}

),

prescriptions as (

    select * from {{ ref('fct_prescriptions') }}
    where {{ in_days_to_replace('issued_date', days_after=37) }}

),

payments as (

    select * from {{ ref('stg_app_db__payments') }}
    where not is_deleted and payment_status in ('paid', 'refunded')

),

clock as (

    select max(created_date) as newest_date from {{ ref('int_booking_flow__data_days') }}

),

visits as (

    select * from receptions
    where {{ in_days_to_replace('month_start_date') }}

),

-- of several prescriptions of a visit the first tells its diagnosis
prescribed as (

    select
        prescriptions.*,
        row_number() over (
            partition by prescriptions.reception_id
            order by prescriptions.prescription_id nulls last
        ) as prescription_no
    from visits
    inner join prescriptions
        on
        visits.reception_id = prescriptions.reception_id
        and prescriptions.issued_date >= visits.created_date
        and prescriptions.issued_date <= {{ add_days('visits.created_date', 7) }}

),

prescription_totals as (

    select
        reception_id,
        max(case when prescription_no = 1 then kcd_chapter_no end) as kcd_chapter_no,
        max(case when has_injection then 1 else 0 end) as injection_mark,
        max(load_id) as load_id
    from prescribed
    group by reception_id

),

payment_totals as (

    select
        reception_id,
        max(case when amount_krw > 0 then 1 else 0 end) as paid_mark,
        max(case when amount_krw < 0 then 1 else 0 end) as refunded_mark,
        sum(round(amount_krw)) as paid_krw,
        max(load_id) as load_id
    from payments
    group by reception_id

),

revisits as (

    select
        visits.reception_id,
        min(later.created_date) as revisit_date,
        max(later.load_id) as load_id
    from visits
    inner join receptions as later
        on
        visits.person_key = later.person_key
        and visits.hospital_id = later.hospital_id
        and visits.created_date < later.created_date
        and later.created_date <= {{ add_days('visits.created_date', 30) }}
    group by visits.reception_id

),

final as (

    select
        visits.reception_id,
        visits.month_start_date,
        coalesce(visits.department_code, '(없음)') as department_code,
        visits.person_key,
        coalesce(
            cast(prescription_totals.kcd_chapter_no as {{ dbt.type_string() }}),
            case when prescription_totals.reception_id is null then '(없음)' else '(미기재)' end
        ) as kcd_chapter,
        case when prescription_totals.reception_id is null then 'none' else 'prescribed' end
            as prescription_status,
        case when prescription_totals.injection_mark = 1 then 'injected' else 'none' end
            as injection_status,
        case
            when payment_totals.refunded_mark = 1 then 'refunded'
            when payment_totals.paid_mark = 1 then 'paid'
            else 'none'
        end as payment_status,
        case
            when visits.person_key is null then 'unknown'
            when {{ add_days('visits.created_date', 30) }} >= clock.newest_date then 'open'
            when revisits.reception_id is null then 'none'
            else 'revisited'
        end as revisit_status,
        cast(
            {{ dbt.datediff('visits.created_date', 'revisits.revisit_date', 'day') }}
            as {{ dbt.type_bigint() }}
        ) as days_to_revisit,
        cast(coalesce(payment_totals.paid_krw, 0) as {{ dbt.type_bigint() }}) as paid_krw,
        greatest(
            visits.load_id,
            coalesce(prescription_totals.load_id, 0),
            coalesce(payment_totals.load_id, 0),
            coalesce(revisits.load_id, 0)
        ) as load_id
    from visits
    -- one row
    cross join clock
    left join prescription_totals
        on visits.reception_id = prescription_totals.reception_id
    left join payment_totals
        on visits.reception_id = payment_totals.reception_id
    left join revisits
        on visits.reception_id = revisits.reception_id

)

select * from final

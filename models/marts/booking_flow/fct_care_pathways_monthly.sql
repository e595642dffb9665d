{{ replaces_days(
    'month_start_date', changes='int_booking_flow__care_pathway_changes',
    looked_up_by=['department_code'],
) }}
-- One row is a way that completed visits of a month took: department, diagnosis, prescription,
-- payment and revisit. A way of fewer people than the smallest cell is told with others of its
-- department, and if these are still fewer, with those of all departments: nothing is lost, nobody
-- stands alone.
{% set dimensions = [
    'kcd_chapter', 'prescription_status', 'injection_status', 'payment_status', 'revisit_status',
] %}
{% set told_dimensions = ['told_department_code'] %}
{% for each in dimensions %}{% do told_dimensions.append('told_' ~ each) %}{% endfor %}
{% set told_way = (['month_start_date'] + told_dimensions) | join(',\n                ') %}
{% set fewest = var('smallest_cell').inside %}
{% set is_way = 'way_people >= ' ~ fewest %}
{% set is_told = '(last_place < 2 or month_rest_people >= ' ~ fewest ~ ')' %}

with visits as (

    select * from {{ ref('int_booking_flow__care_pathway_visits') }}
    where {{ in_days_to_replace('month_start_date') }}

),

marked_ways as (

    select
        *,
        row_number() over (
            partition by
                month_start_date, department_code, {{ dimensions | join(', ') }}, person_key
            order by reception_id nulls last
        ) as person_visit_no
    from visits

),

ways as (

    select
        *,
        sum(case when person_visit_no = 1 and person_key is not null then 1 else 0 end) over (
            partition by month_start_date, department_code, {{ dimensions | join(', ') }}
        ) as way_people
    from marked_ways

),

marked_departments as (

    select
        *,
        row_number() over (
            partition by
                month_start_date, department_code, case when {{ is_way }} then 0 else 1 end,
                person_key
            order by reception_id nulls last
        ) as person_rest_no
    from ways

),

departments as (

    select
        *,
        sum(case when person_rest_no = 1 and person_key is not null then 1 else 0 end) over (
            partition by
                month_start_date, department_code, case when {{ is_way }} then 0 else 1 end
        ) as rest_people
    from marked_departments

),

-- 0 told as it is, 1 with its department's rest, 2 with the month's
placed as (

    select
        *,
        case when {{ is_way }} then 0 when rest_people >= {{ fewest }} then 1 else 2 end as place
    from departments

),

marked_months as (

    select
        *,
        row_number() over (
            partition by month_start_date, place, person_key order by reception_id nulls last
        ) as person_month_no
    from placed

),

months as (

    select
        *,
        sum(
            case when place = 2 and person_month_no = 1 and person_key is not null then 1 else 0 end
        ) over (partition by month_start_date) as month_rest_people,
        max(place) over (partition by month_start_date) as last_place
    from marked_months

),

-- a rest that is still too small takes the whole month with it
named as (

    select
        *,
        case when place < 2 and {{ is_told }} then department_code else '(기타)' end
            as told_department_code,
    {% for dimension in dimensions %}
        case when place = 0 and {{ is_told }} then {{ dimension }} else '(기타)' end
            as told_{{ dimension }}{{ ',' if not loop.last }}
    {% endfor %}
    from months

),

ranked as (

    select
        *,
        case when revisit_status = 'revisited' then days_to_revisit end as closed_days_to_revisit,
        row_number() over (
            partition by
                {{ told_way }}
            order by
                case when revisit_status = 'revisited' then days_to_revisit end nulls last
        ) as revisit_no,
        sum(case when revisit_status = 'revisited' then 1 else 0 end) over (
            partition by
                {{ told_way }}
        ) as revisit_count
    from named

),

final as (

    select
        month_start_date,
        told_department_code as department_code,
        {% for dimension in dimensions %}
            told_{{ dimension }} as {{ dimension }},
        {% endfor %}
        cast(count(*) as {{ dbt.type_bigint() }}) as visits,
        cast(count(distinct person_key) as {{ dbt.type_bigint() }}) as people,
        {% for name, condition in {
            'prescription_visits': "prescription_status = 'prescribed'",
            'injection_visits': "injection_status = 'injected'",
        }.items() %}
            -- several ways together may have it made by few, or by all but few
            cast(
                case
                    {% for whom in [condition, 'not ' ~ condition] %}
                        when
                            count(distinct case when {{ whom }} then person_key end)
                            between 1 and {{ fewest - 1 }} then null
                    {% endfor %}
                    else sum(case when {{ condition }} then 1 else 0 end)
                end as {{ dbt.type_bigint() }}
            ) as {{ name }},
        {% endfor %}
        {% for name, condition in {
            'paid_visits': "payment_status <> 'none'",
            'closed_visits': "revisit_status in ('none', 'revisited')",
            'revisited_visits': "revisit_status = 'revisited'",
        }.items() %}
            cast(
                sum(case when {{ condition }} then 1 else 0 end) as {{ dbt.type_bigint() }}
            ) as {{ name }},
        {% endfor %}
        cast(sum(paid_krw) as {{ dbt.type_bigint() }}) as paid_krw,
        min(case when revisit_no * 2 >= revisit_count then closed_days_to_revisit end)
            as days_to_revisit_p50,
        {{ ratio('count(*)', 'sum(count(*)) over of_department') }} as department_share_rate,
        max(load_id) as load_id
    from ranked
    group by
        {{ (['month_start_date'] + told_dimensions) | join(',\n        ') }}
    -- a month with fewer people altogether isn't told yet
    having count(distinct person_key) >= {{ fewest }}
    window of_department as (partition by month_start_date, told_department_code)

)

select * from final

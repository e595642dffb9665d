with prescriptions as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'issued_date') }} as date) as month_start_date
    from {{ ref('fct_prescriptions') }}

),

items as (

    select * from {{ ref('fct_prescription_items') }}
    where unit_price_krw is not null and ingredient_code is not null

),

prices as (

    select * from {{ ref('stg_hira__drug_prices') }}
    where
        not is_deleted and not is_repeat
        and price_krw is not null and ingredient_code is not null

),

issued_days as (

    select issued_date
    from items
    group by issued_date

),

lists as (

    select price_month
    from prices
    group by price_month

),

-- the list in force on a day
list_days as (

    select
        issued_days.issued_date,
        max(lists.price_month) as price_month
    from issued_days
    inner join lists
        on issued_days.issued_date >= lists.price_month
    group by issued_days.issued_date

),

ranked_prices as (

    select
        price_month,
        ingredient_code,
        price_krw,
        row_number() over (
            partition by price_month, ingredient_code order by price_krw nulls last
        ) as price_rank,
        count(*) over (partition by price_month, ingredient_code) as product_count
    from prices

),

medians as (

    select
        price_month,
        ingredient_code,
        min(case when price_rank * 2 >= product_count then price_krw end) as median_price_krw
    from ranked_prices
    where product_count > 1
    group by price_month, ingredient_code

),

compared as (

    select
        items.prescription_id,
        count(*) as line_count,
        sum(case when items.unit_price_krw <= medians.median_price_krw then 1 else 0 end)
            as low_price_count,
        sum(
            case
                when items.unit_price_krw > medians.median_price_krw
                    then (items.unit_price_krw - medians.median_price_krw) * items.quantity
                else 0
            end
        ) as saving_krw
    from items
    inner join list_days
        on items.issued_date = list_days.issued_date
    inner join medians
        on
        list_days.price_month = medians.price_month
        and items.ingredient_code = medians.ingredient_code
    where items.quantity is not null
    group by items.prescription_id

),

judged as (

    select
        prescriptions.*,
        compared.line_count,
        compared.low_price_count,
        compared.saving_krw
    from prescriptions
    left join compared
        on prescriptions.prescription_id = compared.prescription_id

),

{# measure, what it counts, of how much, of which prescriptions #}
{% set flag = 'case when {} then 1 else 0 end' %}
{% set measures = [
    (
        'uri_antibiotic_rate', flag.format('has_antibiotic'), '1',
        "main_kcd_code between 'J00' and 'J06'",
    ),
    (
        'lri_antibiotic_rate', flag.format('has_antibiotic'), '1',
        "main_kcd_code between 'J20' and 'J22'",
    ),
    ('injection_rate', flag.format('has_injection'), '1', 'true'),
    ('items_per_prescription', 'item_count', '1', 'item_count > 0'),
    ('six_or_more_items_rate', flag.format('item_count >= 6'), '1', 'item_count > 0'),
    ('drug_cost_krw_per_day', 'drug_cost_krw', 'total_days_max', 'total_days_max > 0'),
    ('low_price_rate', 'low_price_count', 'line_count', 'line_count > 0'),
    ('saving_krw_per_prescription', 'saving_krw', '1', 'line_count > 0'),
    ('dur_alert_rate', flag.format('dur_alert_count > 0'), '1', 'true'),
    ('dur_override_rate', 'dur_override_count', 'dur_alert_count', 'dur_alert_count > 0'),
    ('dispensed_rate', flag.format('is_dispensed'), '1', 'true'),
    ('unknown_drug_rate', 'unknown_drug_item_count', 'item_count', 'item_count > 0'),
    ('missing_diagnosis_rate', flag.format('main_kcd_code is null'), '1', 'true'),
] %}
final as (

    {% for measure, numerator, denominator, condition in measures %}
        select
            prescription_id,
            '{{ measure }}' as measure,
            issued_date,
            month_start_date,
            hospital_id,
            -- nobody is known to have two prescriptions without a member
            coalesce(
                person_key, 'prescription ' || cast(prescription_id as {{ dbt.type_string() }})
            ) as person_key,
            cast({{ numerator }} as {{ dbt.type_numeric() }}) as numerator,
            cast({{ denominator }} as {{ dbt.type_numeric() }}) as denominator,
            load_id
        from judged
        where {{ condition }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from final

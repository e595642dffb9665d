-- A fill that begins before the one before it is used up is pushed forward. With S the days of all
-- fills before one, it begins at S + max(start - S) over itself and those: a running maximum in
-- place of a recursion.
with prescriptions as (

    select * from {{ ref('fct_prescriptions') }}
    where is_dispensed and person_key is not null

),

items as (

    select * from {{ ref('fct_prescription_items') }}
    where not is_in_house and days_supply is not null and ingredient4 is not null

),

dispensed as (

    select
        prescriptions.person_key,
        items.ingredient4,
        -- where only the status tells of it, on the day of issue
        coalesce(prescriptions.dispensed_date, prescriptions.issued_date) as fill_date,
        items.days_supply,
        greatest(prescriptions.load_id, items.load_id) as load_id
    from items
    inner join prescriptions
        on items.prescription_id = prescriptions.prescription_id

),

-- several lines of one ingredient on one day are taken together
fills as (

    select
        person_key,
        ingredient4,
        fill_date,
        cast(
            cast(extract(year from fill_date) as {{ dbt.type_string() }})
            || case when extract(month from fill_date) <= 6 then '-01-01' else '-07-01' end as date
        ) as period_start_date,
        max(days_supply) as days_supply,
        count(*) as line_count,
        max(load_id) as load_id
    from dispensed
    group by person_key, ingredient4, fill_date

),

numbered as (

    select
        *,
        {{ dbt.datediff('period_start_date', 'fill_date', 'day') }} as start_day,
        coalesce(
            sum(days_supply) over (
                partition by person_key, ingredient4, period_start_date
                order by fill_date nulls last
                rows between unbounded preceding and 1 preceding
            ), 0
        ) as days_before
    from fills

),

shifted as (

    select
        *,
        days_before + max(start_day - days_before) over (
            partition by person_key, ingredient4, period_start_date
            order by fill_date nulls last
            rows between unbounded preceding and current row
        ) as first_day
    from numbered

),

final as (

    select
        person_key,
        ingredient4,
        period_start_date,
        fill_date,
        cast(days_supply as {{ dbt.type_bigint() }}) as days_supply,
        cast(line_count as {{ dbt.type_bigint() }}) as line_count,
        {{ add_days('period_start_date', 'cast(first_day as ' ~ dbt.type_int() ~ ')') }}
            as first_covered_date,
        {{ add_days(
            'period_start_date', 'cast(first_day + days_supply - 1 as ' ~ dbt.type_int() ~ ')'
        ) }} as last_covered_date,
        load_id
    from shifted

)

select * from final

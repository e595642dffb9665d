{{ replaces_days(
    'period_start_date', changes='int_prescription__adherence_changes',
    looked_up_by=['person_key', 'ingredient4'],
) }}
-- One row is how a person took an ingredient in a half-year, by the days that fills cover.
with fills as (

    select * from {{ ref('int_prescription__fills_shifted') }}
    where {{ in_days_to_replace('period_start_date') }}

),

clock as (

    select max(created_date) as newest_date from {{ ref('int_booking_flow__data_days') }}

),

{% set next_period = 'cast(' ~ dbt.dateadd('month', 6, 'fills.period_start_date') ~ ' as date)' %}
periods as (

    select
        fills.*,
        {{ add_days(next_period, -1) }} as period_end_date,
        clock.newest_date
    from fills
    cross join clock
    -- what lies ahead of the data isn't known whole
    where fills.fill_date <= clock.newest_date

),

measured as (

    select
        *,
        least(period_end_date, newest_date) as measured_until_date,
        {{ dbt.datediff(
            'lag(last_covered_date) over person_fills', 'fill_date', 'day'
        ) }} - 1 as gap_days
    from periods
    window
        person_fills as (
            partition by person_key, ingredient4, period_start_date order by fill_date nulls last
        )

),

totals as (

    select
        person_key,
        ingredient4,
        period_start_date,
        period_end_date,
        measured_until_date,
        min(fill_date) as first_fill_date,
        max(fill_date) as last_fill_date,
        count(*) as fill_count,
        sum(days_supply) as days_supply_total,
        sum(
            case
                when first_covered_date <= measured_until_date
                    then {{ dbt.datediff(
                        'first_covered_date', 'least(last_covered_date, measured_until_date)', 'day'
                    ) }} + 1
                else 0
            end
        ) as covered_days,
        {{ dbt.datediff('min(fill_date)', 'measured_until_date', 'day') }} + 1 as measured_days,
        sum(case when gap_days <= 30 then 1 else 0 end) as refill_count,
        sum(case when gap_days < 0 then 1 else 0 end) as early_refill_count,
        sum(case when gap_days > 0 then 1 else 0 end) as gap_count,
        greatest(
            coalesce(max(gap_days), 0),
            {{ dbt.datediff('max(last_covered_date)', 'measured_until_date', 'day') }}, 0
        ) as longest_gap_days,
        max(load_id) as load_id
    from measured
    group by person_key, ingredient4, period_start_date, period_end_date, measured_until_date

),

final as (

    select
        person_key,
        ingredient4,
        period_start_date,
        period_end_date,
        measured_until_date,
        measured_until_date = period_end_date as is_period_over,
        first_fill_date,
        last_fill_date,
        {% for name in [
            'fill_count', 'days_supply_total', 'covered_days', 'measured_days', 'refill_count',
            'early_refill_count', 'gap_count', 'longest_gap_days',
        ] %}
            cast({{ name }} as {{ dbt.type_bigint() }}) as {{ name }},
        {% endfor %}
        fill_count > 1 as is_measured,
        -- Postgres forgets the decimals of a case's branches
        cast(
            case when fill_count > 1 then {{ ratio('covered_days', 'measured_days') }} end
            as {{ dbt.type_numeric() }}
        ) as pdc_rate,
        {{ ratio('days_supply_total', 'measured_days') }} as mpr,
        fill_count > 1 and covered_days * 5 >= measured_days * 4 as is_adherent,
        longest_gap_days > 30 as is_discontinued,
        load_id
    from totals

)

select * from final

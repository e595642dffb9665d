-- One row is the people who joined in a month by a medium, as many months after.
{% set plurals = {
    'application': 'applications', 'booking': 'bookings', 'visit': 'visits', 'payment': 'payments',
} %}
{% set age = dbt.datediff(
    'cohort_months.acquired_month_date', 'cohort_months.month_start_date', 'month'
) %}

with accounts as (

    select * from {{ ref('int_marketing__cohort_accounts') }}

),

touches as (

    select *
    from {{ ref('fct_touchpoints') }}
    where medium is not null

),

conversions as (

    select * from {{ ref('fct_conversions') }}

),

deliveries as (

    select * from {{ ref('fct_ad_delivery_daily') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

months as (

    select
        month_start_date,
        max(calendar_date) as month_end_date
    from dates
    group by month_start_date

),

-- no model knows the clock, nor what was before the first day in the data
data_days as (

    select
        min(dates.month_start_date) as first_month_date,
        min(conversions.created_date) as first_date,
        max(conversions.created_date) as newest_date
    from conversions
    inner join dates on conversions.created_date = dates.calendar_date

),

-- what was touched first in the month before joining brought the person
acquired as (

    select
        accounts.person_key,
        accounts.acquired_month_date,
        coalesce(touches.medium, '(none)') as medium,
        row_number() over (
            partition by accounts.person_key
            order by touches.touched_at asc nulls last, touches.touch_id asc nulls last
        ) as touch_no
    from accounts
    left join touches
        on accounts.person_key = touches.member_key
        and accounts.acquired_date >= touches.touch_date
        and touches.touch_date >= {{ add_days('accounts.acquired_date', -30) }}

),

cohorts as (

    select
        acquired_month_date,
        medium,
        count(*) as acquired_members,
        0 as spend_supply_krw
    from acquired
    where touch_no = 1
    group by acquired_month_date, medium
    union all
    -- also of media that brought nobody
    select
        dates.month_start_date as acquired_month_date,
        deliveries.medium,
        0 as acquired_members,
        sum(deliveries.spend_supply_krw) as spend_supply_krw
    from deliveries
    inner join dates on deliveries.stat_date = dates.calendar_date
    group by dates.month_start_date, deliveries.medium

),

cohort_months as (

    select
        cohorts.acquired_month_date,
        cohorts.medium,
        months.month_start_date,
        months.month_end_date <= data_days.newest_date
        and cohorts.acquired_month_date >= data_days.first_date as is_complete,
        sum(cohorts.acquired_members) as acquired_members,
        sum(cohorts.spend_supply_krw) as spend_supply_krw
    from cohorts
    cross join data_days
    inner join months
        on cohorts.acquired_month_date <= months.month_start_date
        and data_days.newest_date >= months.month_start_date
    where cohorts.acquired_month_date >= data_days.first_month_date
    group by
        cohorts.acquired_month_date, cohorts.medium, months.month_start_date,
        months.month_end_date, data_days.newest_date, data_days.first_date

),

activity as (

    select
        acquired.acquired_month_date,
        acquired.medium,
        dates.month_start_date,
        count(distinct acquired.person_key) as active_members,
        {% for conversion_type, plural in plurals.items() %}
            sum(case conversions.conversion_type when '{{ conversion_type }}' then 1 else 0 end)
                as {{ plural }},
        {% endfor %}
        sum(conversions.value_krw) as revenue_krw
    from conversions
    inner join accounts on conversions.member_key = accounts.member_key
    inner join acquired
        on accounts.person_key = acquired.person_key
        and acquired.touch_no = 1
    inner join dates on conversions.created_date = dates.calendar_date
    group by acquired.acquired_month_date, acquired.medium, dates.month_start_date

),

cumulated as (

    select
        cohort_months.*,
        activity.active_members,
        {{ 'activity.' ~ plurals.values() | join(', activity.') }},
        coalesce(activity.revenue_krw, 0) as revenue_krw,
        cast({{ age }} as {{ dbt.type_bigint() }}) as age_months,
        sum(coalesce(activity.revenue_krw, 0)) over (
            partition by cohort_months.acquired_month_date, cohort_months.medium
            order by cohort_months.month_start_date asc nulls last
            rows between unbounded preceding and current row
        ) as cumulative_revenue_krw
    from cohort_months
    left join activity
        on cohort_months.acquired_month_date = activity.acquired_month_date
        and cohort_months.medium = activity.medium
        and cohort_months.month_start_date = activity.month_start_date

),

final as (

    select
        acquired_month_date,
        medium,
        age_months,
        is_complete,
        cast(acquired_members as {{ dbt.type_bigint() }}) as acquired_members,
        {% for count in ['active_members'] + plurals.values() | list
            + ['revenue_krw', 'cumulative_revenue_krw'] %}
            cast(coalesce({{ count }}, 0) as {{ dbt.type_bigint() }}) as {{ count }},
        {% endfor %}
        {{ ratio('cumulative_revenue_krw', 'acquired_members') }} as lifetime_value_krw,
        cast(spend_supply_krw as {{ dbt.type_numeric() }}) as spend_supply_krw,
        {{ ratio('spend_supply_krw', 'acquired_members') }} as acquisition_cost_krw,
        -- where nothing was spent there is nothing to win back
        min(
            case
                when spend_supply_krw > 0 and cumulative_revenue_krw >= spend_supply_krw
                    then age_months
            end
        ) over (partition by acquired_month_date, medium) as payback_age_months
    from cumulated

)

select * from final

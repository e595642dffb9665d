-- One row is an account's budget in a month: what is spent of it, and where the month will end.

with budgets as (

    select * from {{ ref('stg_marketing_plan__budgets') }}

),

deliveries as (

    select * from {{ ref('fct_ad_delivery_daily') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

-- a budget that was sent again replaces the earlier one
ranked_budgets as (

    select
        budget_month,
        medium,
        account_id,
        budget_krw,
        load_id,
        row_number() over (
            partition by budget_month, medium, account_id
            order by
                load_id desc nulls last,
                source_file desc nulls last,
                source_line desc nulls last
        ) as newness
    from budgets
    where not is_deleted
        and budget_month is not null

),

-- no model knows the clock: what was extracted last says which days are over
today as (

    select max(extracted_on) as as_of_date from deliveries

),

daily as (

    select
        stat_date,
        medium,
        account_id,
        sum(spend_supply_krw) as spend_supply_krw,
        max(load_id) as load_id
    from deliveries
    group by stat_date, medium, account_id

),

-- how an account's spend lies over the week, from the days that are over; one that never spent on a
-- weekday has too little to tell, and all its days weigh the same
weekdays as (

    select
        daily.medium,
        daily.account_id,
        dates.iso_weekday,
        sum(daily.spend_supply_krw) as spend_supply_krw,
        count(*) as day_count,
        count(*) over (partition by daily.medium, daily.account_id) as weekday_count
    from daily
    cross join today
    inner join dates on daily.stat_date = dates.calendar_date
    where daily.stat_date < today.as_of_date
    group by daily.medium, daily.account_id, dates.iso_weekday

),

budget_days as (

    select
        ranked_budgets.budget_month,
        ranked_budgets.medium,
        ranked_budgets.account_id,
        ranked_budgets.budget_krw,
        ranked_budgets.load_id,
        today.as_of_date,
        dates.calendar_date,
        dates.calendar_date < today.as_of_date as is_over,
        case
            when weekdays.weekday_count = 7
                then {{ ratio('weekdays.spend_supply_krw', 'weekdays.day_count') }}
            else 1
        end as weight
    from ranked_budgets
    cross join today
    inner join dates on ranked_budgets.budget_month = dates.month_start_date
    left join weekdays
        on ranked_budgets.medium = weekdays.medium
        and ranked_budgets.account_id = weekdays.account_id
        and dates.iso_weekday = weekdays.iso_weekday
    where ranked_budgets.newness = 1

),

summed as (

    select
        budget_days.budget_month,
        budget_days.medium,
        budget_days.account_id,
        budget_days.budget_krw,
        budget_days.as_of_date,
        sum(case when budget_days.is_over then 1 else 0 end) as days_over,
        count(*) as days_in_month,
        {{ ratio(
            'sum(case when budget_days.is_over then budget_days.weight else 0 end)',
            'sum(budget_days.weight)'
        ) }} as expected_share,
        sum(case when budget_days.is_over then coalesce(daily.spend_supply_krw, 0) else 0 end)
            as spend_to_date_krw,
        greatest(max(budget_days.load_id), coalesce(max(daily.load_id), 0)) as load_id
    from budget_days
    left join daily
        on budget_days.calendar_date = daily.stat_date
        and budget_days.medium = daily.medium
        and budget_days.account_id = daily.account_id
    group by
        budget_days.budget_month, budget_days.medium, budget_days.account_id,
        budget_days.budget_krw, budget_days.as_of_date

),

final as (

    select
        budget_month as month_start_date,
        medium,
        account_id,
        as_of_date,
        cast(days_over as {{ dbt.type_bigint() }}) as days_over,
        cast(days_in_month as {{ dbt.type_bigint() }}) as days_in_month,
        cast(budget_krw as {{ dbt.type_numeric() }}) as budget_krw,
        cast(spend_to_date_krw as {{ dbt.type_numeric() }}) as spend_to_date_krw,
        {{ ratio('spend_to_date_krw', 'budget_krw') }} as spent_share,
        expected_share,
        {{ ratio('spend_to_date_krw', 'expected_share') }} as forecast_krw,
        cast(
            {{ ratio('spend_to_date_krw', 'expected_share') }} - budget_krw
            as {{ dbt.type_numeric() }}
        ) as forecast_over_krw,
        load_id
    from summed

)

select * from final

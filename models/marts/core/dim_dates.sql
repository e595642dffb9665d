-- One row is a Korean calendar day.

with days as (

    {{ dbt.date_spine('day', "cast('2020-01-01' as date)", "cast('2031-01-01' as date)") }}

),

holidays as (

    select * from {{ ref('korean_holidays') }}

),

dated as (

    select cast(date_day as date) as calendar_date
    from days

),

-- Engines number weekdays and cut weeks differently: both are counted from a known Monday here.
weekdays as (

    select
        calendar_date,
        mod(
            {{ dbt.datediff("cast('2019-12-30' as date)", 'calendar_date', 'day') }}, 7
        ) + 1 as iso_weekday
    from dated

),

weeks as (

    select
        calendar_date,
        iso_weekday,
        {{ add_days('calendar_date', '(1 - iso_weekday)') }} as week_start_date,
        -- a week belongs to the year of its Thursday
        {{ add_days('calendar_date', '(4 - iso_weekday)') }} as thursday_date
    from weekdays

),

thursdays as (

    select
        calendar_date,
        iso_weekday,
        week_start_date,
        extract(year from thursday_date) as iso_year,
        {{ dbt.datediff(
            'cast(' ~ dbt.date_trunc('year', 'thursday_date') ~ ' as date)', 'thursday_date', 'day'
        ) }} as days_into_iso_year
    from weeks

),

final as (

    select
        thursdays.calendar_date,
        cast(thursdays.iso_weekday as {{ dbt.type_bigint() }}) as iso_weekday,
        case thursdays.iso_weekday
            when 1 then '월'
            when 2 then '화'
            when 3 then '수'
            when 4 then '목'
            when 5 then '금'
            when 6 then '토'
            else '일'
        end as weekday_name_ko,
        thursdays.week_start_date,
        cast(thursdays.iso_year as {{ dbt.type_bigint() }}) as iso_year,
        1 + cast(
            {{ ratio('days_into_iso_year - mod(days_into_iso_year, 7)', '7') }}
            as {{ dbt.type_bigint() }}
        ) as iso_week,
        cast({{ dbt.date_trunc('month', 'thursdays.calendar_date') }} as date) as month_start_date,
        cast(
            {{ dbt.date_trunc('quarter', 'thursdays.calendar_date') }} as date
        ) as quarter_start_date,
        cast(extract(year from thursdays.calendar_date) as {{ dbt.type_bigint() }}) as year_number,
        cast(
            extract(quarter from thursdays.calendar_date) as {{ dbt.type_bigint() }}
        ) as quarter_number,
        cast(
            extract(month from thursdays.calendar_date) as {{ dbt.type_bigint() }}
        ) as month_number,
        thursdays.iso_weekday >= 6 as is_weekend,
        holidays.holiday_date is not null as is_holiday,
        holidays.holiday_name_ko,
        coalesce(holidays.is_substitute, false) as is_substitute_holiday,
        thursdays.iso_weekday < 6 and holidays.holiday_date is null as is_business_day
    from thursdays
    left join holidays
        on holidays.holiday_date = thursdays.calendar_date

)

select * from final

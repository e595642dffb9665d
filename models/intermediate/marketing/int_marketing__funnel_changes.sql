-- Which closed cohort days a load can alter: those that it closes, those whose window holds a day
-- that it touched, and, since an event that names a visitor gives earlier and later events to a
-- member, all from thirty days before it on.
with event_changes as (

    select * from {{ ref('int_marketing__funnel_event_changes') }}

),

loads as (

    select * from {{ ref('stg_ledger__loads') }}

),

calendar as (

    select * from {{ ref('dim_dates') }}

),

funnels as (

    select
        funnel,
        -- days that a window reaches beyond the cohort's own
        cast(ceil(max(window_hours) / 24.0) as {{ dbt.type_bigint() }}) as window_days
    from {{ ref('int_marketing__funnel_declarations') }}
    group by funnel

),

-- an event of a day that hadn't come when it was loaded is a wrong clock's
heard_days as (

    select
        event_changes.event_date as heard_date,
        min(event_changes.load_id) as load_id
    from event_changes
    inner join loads
        on event_changes.load_id = loads.load_id
        and event_changes.event_date <= loads.load_date
    where event_changes.kind = 'event'
    group by event_changes.event_date

),

first_day as (

    select min(event_date) as event_date from event_changes

),

-- the first load that brought a day or a later one: the days before it are over
days_begun as (

    select
        calendar.calendar_date as begun_date,
        min(heard_days.load_id) over (
            order by calendar.calendar_date desc nulls last
            rows between unbounded preceding and current row
        ) as load_id
    from calendar
    -- nobody enters before the first event
    inner join first_day on calendar.calendar_date >= first_day.event_date
    left join heard_days on calendar.calendar_date = heard_days.heard_date

),

closed_days as (

    select
        funnels.funnel,
        funnels.window_days,
        {{ add_days('days_begun.begun_date', '(- 1 - funnels.window_days)') }} as cohort_date,
        days_begun.load_id
    from days_begun
    -- a row for each funnel
    cross join funnels
    where days_begun.load_id is not null

),

-- [first_date, last_date]: days of events that a load can alter
altered as (

    select
        load_id,
        {{ add_days('min(event_date)', -30) }} as first_date,
        cast('9999-12-31' as date) as last_date
    from event_changes
    where kind = 'event'
    group by load_id
    union all
    select
        load_id,
        {{ add_days('event_date', -7) }} as first_date,
        {{ add_days('event_date', 7) }} as last_date
    from event_changes
    where kind <> 'event'
    group by load_id, event_date

),

touched as (

    select
        funnel,
        cohort_date,
        load_id
    from closed_days
    union all
    select
        closed_days.funnel,
        closed_days.cohort_date,
        altered.load_id
    from altered
    inner join closed_days
        on closed_days.cohort_date <= altered.last_date
        and closed_days.cohort_date >= {{ add_days(
            'altered.first_date', '(- 1 - closed_days.window_days)'
        ) }}

),

final as (

    select
        funnel,
        cohort_date,
        load_id
    from touched
    group by funnel, cohort_date, load_id

)

select * from final

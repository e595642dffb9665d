-- Rare ways are told together, never left out: a month's visits are all that were completed in it.
with ways as (

    select
        month_start_date,
        sum(visits) as visits
    from {{ ref('fct_care_pathways_monthly') }}
    group by month_start_date

),

visits as (

    select
        cast({{ dbt.date_trunc('month', 'created_date') }} as date) as month_start_date,
        count(*) as visits,
        count(distinct person_key) as people
    from {{ ref('fct_receptions') }}
    where is_completed
    group by cast({{ dbt.date_trunc('month', 'created_date') }} as date)

)

select
    visits.month_start_date,
    visits.visits as expected_visits,
    ways.visits
from visits
left join ways
    on visits.month_start_date = ways.month_start_date
where
    case when visits.people >= 5 then visits.visits else 0 end <> coalesce(ways.visits, 0)

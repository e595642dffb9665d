-- Everybody who joined since the first month in the data is in one cohort, whatever brought them.
with cohorts as (

    select
        acquired_month_date,
        sum(acquired_members) as acquired_members
    from {{ ref('fct_cohort_ltv_monthly') }}
    where age_months = 0
    group by acquired_month_date

),

joined as (

    select
        acquired_month_date,
        count(distinct person_key) as acquired_members
    from {{ ref('int_marketing__cohort_accounts') }}
    group by acquired_month_date

)

select
    cohorts.acquired_month_date,
    cohorts.acquired_members,
    joined.acquired_members as expected_members
from cohorts
left join joined on cohorts.acquired_month_date = joined.acquired_month_date
where cohorts.acquired_members <> coalesce(joined.acquired_members, 0)

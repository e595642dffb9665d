-- What the channels add and what the chain of steps gives is both the share of paths that convert.
with rates as (

    select
        month_start_date,
        conversion_type,
        sum(case when to_channel = '(conversion)' then step_count else 0 end) as converting_count,
        sum(step_count) as path_count
    from {{ ref('fct_attribution_steps_monthly') }}
    where to_channel in ('(conversion)', '(null)')
    group by month_start_date, conversion_type

),

shapley as (

    select
        month_start_date,
        conversion_type,
        sum(value_per_million) as value_per_million
    from {{ ref('fct_attribution_shapley_monthly') }}
    group by month_start_date, conversion_type

),

markov as (

    select
        month_start_date,
        conversion_type,
        min(conversion_rate) as conversion_rate
    from {{ ref('fct_attribution_markov_monthly') }}
    group by month_start_date, conversion_type

)

select
    rates.month_start_date,
    rates.conversion_type
from rates
left join shapley
    on rates.month_start_date = shapley.month_start_date
    and rates.conversion_type = shapley.conversion_type
left join markov
    on rates.month_start_date = markov.month_start_date
    and rates.conversion_type = markov.conversion_type
where shapley.value_per_million is null
    or markov.conversion_rate is null
    or markov.conversion_rate <> {{ ratio('rates.converting_count', 'rates.path_count') }}
    or abs(
        shapley.value_per_million
        - {{ ratio('rates.converting_count * 1000000', 'rates.path_count') }}
    ) > cast('0.0001' as {{ dbt.type_numeric() }})

-- One row is an event product with its place among all and in its region and category, and why it
-- stands there. Every number that weighs is in the seed `ranking_settings`.
{# a 1 in double precision on each engine; dbt's own `float` has 32 bits on DuckDB #}
{% set one = 'exp(0)' %}
{% set terms = {
    'conversion': 'conversion_lower_bound', 'stars': 'bayesian_stars', 'demand': 'demand',
    'margin': 'margin_per_view_krw',
} %}
{% set facts = {
    'views': dbt.type_bigint(), 'viewer_days': dbt.type_bigint(),
    'applications': dbt.type_bigint(), 'demand': dbt.type_numeric(),
    'margin_krw': dbt.type_numeric(),
} %}
{% set scopes = {'overall': '', 'regional': ', sido_code, category'} %}
{% set age = dbt.datediff('performance.stat_date', 'days.as_of_date', 'day') %}
{# nine decimals first: engines round the same from there #}
{% set recency_weight %}
    cast(cast(power(
        2 * {{ one }}, -{{ age }} * {{ one }} / settings.product_demand_half_life_days
    ) as numeric(28, 9)) as {{ dbt.type_numeric() }})
{% endset %}

with candidates as (

    select * from {{ ref('int_marketing__event_product_candidates') }}

),

performance as (

    select * from {{ ref('fct_event_product_performance_daily') }}

),

days as (

    select * from {{ ref('int_marketing__reviews_as_of_days') }}

),

settings as (

    select * from {{ ref('int_marketing__event_product_settings') }}

),

summed as (

    select
        days.as_of_date,
        performance.event_product_id,
        sum(performance.views) as views,
        sum(performance.viewers) as viewer_days,
        sum(performance.applications) as applications,
        sum(performance.margin_krw) as margin_krw,
        sum(cast(
            (
                settings.product_demand_per_view * performance.views
                + settings.product_demand_per_application * performance.applications
                + settings.product_demand_per_booking * performance.bookings
            ) * {{ recency_weight }} as {{ dbt.type_numeric() }}
        )) as demand,
        max(performance.load_id) as load_id
    from performance
    inner join days on performance.stat_date <= days.as_of_date
    cross join settings
    where {{ age }} < settings.product_window_days
    group by days.as_of_date, performance.event_product_id

),

measured as (

    select
        candidates.*,
        {% for fact, kind in facts.items() %}
            cast(coalesce(summed.{{ fact }}, 0) as {{ kind }}) as {{ fact }},
        {% endfor %}
        {{ ratio('summed.margin_krw', 'summed.views') }} as margin_per_view_krw,
        summed.viewer_days * {{ one }} as n,
        -- an application can come without a view
        least(summed.applications, summed.viewer_days) * {{ one }} as a,
        settings.wilson_z * {{ one }} as z,
        greatest(candidates.load_id, coalesce(summed.load_id, 0)) as newest_load_id,
    {% for term in terms %}
        settings.product_{{ term }}_weight as {{ term }}_weight{{ ',' if not loop.last }}
    {% endfor %}
    from candidates
    cross join settings
    left join summed
        on candidates.as_of_date = summed.as_of_date
        and candidates.event_product_id = summed.event_product_id

),

bounded as (

    select
        *,
        case
            when n > 0
                then cast(cast(
                        (a + z * z / 2 - z * sqrt(a * (n - a) / n + z * z / 4)) / (n + z * z)
                        as numeric(28, 9)
                    ) as {{ dbt.type_numeric() }})
            else cast(0 as {{ dbt.type_numeric() }})
        end as conversion_lower_bound
    from measured

),

-- each term from 0 to 1 between the least and the most of what is on sale
normalised as (

    select
        *,
    {% for term, column in terms.items() %}
        coalesce({{ ratio(
                column ~ ' - min(' ~ column ~ ') over beside',
                'max(' ~ column ~ ') over beside - min(' ~ column ~ ') over beside'
            ) }}, cast(0 as {{ dbt.type_numeric() }})) as {{ term }}_term{{ ',' if not loop.last }}
    {% endfor %}
    from bounded
    window beside as (partition by as_of_date, is_on_sale)

),

scored as (

    select
        *,
        cast(
            case when is_on_sale then 1 else 0 end
            * ({% for term in terms %}
                {{ '+ ' if not loop.first }}{{ term }}_weight * {{ term }}_term
            {% endfor %})
            as {{ dbt.type_numeric() }}
        ) as score
    from normalised

),

-- what isn't on sale has no place
ranked as (

    select
        *,
    {% for scope, columns in scopes.items() %}
        case
            when is_on_sale
                then row_number() over (
                        partition by as_of_date, is_on_sale{{ columns }}
                        order by score desc nulls last, event_product_id asc nulls last
                        )
        end as {{ scope }}_rank{{ ',' if not loop.last }}
    {% endfor %}
    from scored

),

compared as (

    select
        *,
        lag(overall_rank) over week_before as previous_overall_rank,
        lag(regional_rank) over week_before as previous_regional_rank,
        lag(score) over week_before as previous_score
    from ranked
    window week_before as (partition by event_product_id order by as_of_date asc nulls last)

),

final as (

    select
        event_product_id,
        as_of_date,
        hospital_id,
        sido_code,
        category,
        is_on_sale,
        {% for scope in scopes %}
            {{ scope }}_rank,
            previous_{{ scope }}_rank,
            previous_{{ scope }}_rank - {{ scope }}_rank as {{ scope }}_rank_change,
        {% endfor %}
        score,
        previous_score,
        {{ terms | join('_term, ') }}_term,
        {{ terms | join('_weight, ') }}_weight,
        {{ (facts | list + ['margin_per_view_krw', 'conversion_lower_bound']) | join(', ') }},
        {{ ['review_count', 'stars_prior', 'bayesian_stars'] | join(', ') }},
        newest_load_id as load_id
    from compared
    where is_newest

)

select * from final

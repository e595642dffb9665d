-- One row is a day of a medium at an age: how much of what is known now was known then.
{% set metrics = ['impressions', 'clicks', 'spend', 'conversions', 'conversion_value'] %}

with restatements as (

    select * from {{ ref('fct_ad_restatements') }}

),

-- figures are compared at these ages; a day between two of them is compared at the younger
checkpoints as (

    {% for age_days in [1, 7, 28] %}
        {{ 'union all' if not loop.first }}
        select {{ age_days }} as age_days
    {% endfor %}

),

-- ads, not totals: a total would count the same figure again
delivered as (

    select
        *,
        row_number() over (
            partition by stat_date, medium, report, account_id, metric
            order by extracted_on desc nulls last
        ) as newness,
        max(age_days) over (
            partition by stat_date, medium, report, account_id, metric
        ) as oldest_age
    from restatements
    where age_days >= 0
        and (
            {% for report in var('ad_reports') if report.kind == 'delivery' %}
                {{ 'or' if not loop.first }}
                {% if report.medium == '*' %}
                    report = '{{ report.report }}'
                {% else %}
                    (medium = '{{ report.medium }}' and report = '{{ report.report }}')
                {% endif %}
            {% endfor %}
        )

),

-- what the last extraction up to the age said, once the day is that old
then_known as (

    select
        delivered.*,
        checkpoints.age_days as checkpoint,
        row_number() over (
            partition by
                delivered.stat_date, delivered.medium, delivered.report, delivered.account_id,
                delivered.metric, checkpoints.age_days
            order by delivered.extracted_on desc nulls last
        ) as place
    from delivered
    inner join checkpoints
        on delivered.age_days <= checkpoints.age_days
        and delivered.oldest_age >= checkpoints.age_days

),

newest as (

    select
        stat_date,
        {% for metric in metrics %}
            sum(case metric when '{{ metric }}' then value end) as {{ metric }},
        {% endfor %}
        medium
    from delivered
    where newness = 1
    group by stat_date, medium

),

known as (

    select
        stat_date,
        medium,
        checkpoint,
        {% for metric in metrics %}
            sum(case metric when '{{ metric }}' then value end) as {{ metric }},
        {% endfor %}
        max(load_id) as load_id
    from then_known
    where place = 1
    group by stat_date, medium, checkpoint

),

final as (

    select
        known.stat_date,
        known.medium,
        cast(known.checkpoint as {{ dbt.type_bigint() }}) as age_days,
        {% for metric in metrics %}
            cast(known.{{ metric }} as {{ dbt.type_numeric() }}) as {{ metric }}_then,
            cast(newest.{{ metric }} as {{ dbt.type_numeric() }}) as {{ metric }}_now,
        {% endfor %}
        known.load_id
    from known
    inner join newest
        on known.stat_date = newest.stat_date
        and known.medium = newest.medium

)

select * from final

-- One row is an age of a medium's figures: how much of the final figure was known by then.

with restatements as (

    select * from {{ ref('fct_ad_restatements') }}

),

-- days whose final figure is known, ads before totals: a total would count the same figure again
closed as (

    select
        medium,
        metric,
        age_days,
        share_of_final,
        row_number() over (
            partition by medium, metric, age_days
            order by share_of_final nulls last, stat_date, account_id, report
        ) as place,
        count(*) over (partition by medium, metric, age_days) as day_count
    from restatements
    where share_of_final is not null
        and age_days >= 0
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

-- nearest rank: the least share that so many of the days don't exceed
final as (

    select
        medium,
        metric,
        cast(age_days as {{ dbt.type_bigint() }}) as age_days,
        min(case when place * 10 >= day_count then share_of_final end) as share_p10,
        min(case when place * 10 >= day_count * 5 then share_of_final end) as share_p50,
        min(case when place * 10 >= day_count * 9 then share_of_final end) as share_p90,
        cast(max(day_count) as {{ dbt.type_bigint() }}) as day_count
    from closed
    group by medium, metric, age_days

)

select * from final

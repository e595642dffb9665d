-- One row is a judged metric of a segment on a day at an age, also where nothing happened.
-- depends_on: {{ ref('int_core__metric_values') }}
with metric_values as (

    select * from {{ ref('int_core__metric_values') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

-- what is declared: metrics that name their segments are judged, as counts, amounts, shares or
-- other ratios
declared as (

    select
        cast(null as {{ dbt.type_string() }}) as metric,
        cast(null as {{ dbt.type_string() }}) as shape,
        cast(null as {{ dbt.type_string() }}) as good,
        0 as settle_days,
        false as is_restated
    from dates
    where false
    {% if execute %}
        {% set restated = {} %}
        {% for metric in graph.metrics.values() if metric.config.meta.restates %}
            {% do restated.update({metric.name: true}) %}
        {% endfor %}
        {% for metric in graph.metrics.values() if 'segments' in metric.config.meta %}
            {% set meta, of = metric.config.meta, metric.type_params %}
            union all
            select
                '{{ metric.name }}' as metric,
                {% if metric.type == 'simple' %}
                    '{{ 'amount' if meta.unit == 'krw' else 'sum' }}' as shape,
                {% else %}
                    '{{ 'share' if meta.unit == 'share' else 'ratio' }}' as shape,
                {% endif %}
                '{{ meta.good }}' as good,
                {{ meta.settle_days or 0 }} as settle_days,
                {{ metric.name in restated or (metric.type == 'ratio'
                    and (of.numerator.name in restated or of.denominator.name in restated)) }}
                    as is_restated
        {% endfor %}
    {% endif %}

),

known as (

    select
        metric_values.metric_date,
        metric_values.metric,
        metric_values.segment_type,
        metric_values.segment,
        metric_values.age_days,
        metric_values.numerator,
        metric_values.denominator,
        declared.shape,
        declared.good,
        declared.settle_days
    from metric_values
    inner join declared
        on metric_values.metric = declared.metric
        and (metric_values.age_days > 0) = declared.is_restated

),

-- no model knows the clock: now is the newest day that half of the metrics reach
reached as (

    select
        metric,
        max(metric_date) as last_date
    from metric_values
    where age_days = 0
    group by metric

),

ranked as (

    select
        last_date,
        row_number() over (order by last_date nulls last, metric) as place,
        count(*) over () as metric_count
    from reached

),

today as (

    select max(last_date) as as_of_date
    from ranked
    where place * 2 <= metric_count + 1

),

-- two years hold the history of every day of the last four hundred
recent_days as (

    select
        dates.calendar_date,
        dates.iso_weekday,
        dates.is_holiday,
        {{ dbt.datediff('dates.calendar_date', 'today.as_of_date', 'day') }} as days_ago
    from dates
    cross join today
    where dates.calendar_date >= {{ add_days('today.as_of_date', -730) }}
        and dates.calendar_date <= today.as_of_date

),

segments as (

    select
        metric,
        segment_type,
        segment,
        age_days,
        shape,
        good,
        settle_days,
        min(metric_date) as first_date
    from known
    group by metric, segment_type, segment, age_days, shape, good, settle_days

),

-- a figure that restates is known for days that were read at its age, others for all days
days_read as (

    select
        metric,
        age_days,
        metric_date
    from known
    where segment_type = 'total'
        and age_days > 0

),

days as (

    select
        segments.metric,
        segments.segment_type,
        segments.segment,
        segments.age_days,
        segments.shape,
        segments.good,
        recent_days.calendar_date as metric_date,
        recent_days.iso_weekday,
        recent_days.is_holiday,
        recent_days.days_ago
    from segments
    inner join recent_days
        on recent_days.calendar_date >= segments.first_date
        and recent_days.days_ago >= segments.settle_days
    left join days_read
        on segments.metric = days_read.metric
        and segments.age_days = days_read.age_days
        and recent_days.calendar_date = days_read.metric_date
    where segments.age_days = 0
        or days_read.metric_date is not null

),

final as (

    select
        days.metric || '|' || days.segment_type || '|' || days.segment || '|'
        || cast(days.age_days as {{ dbt.type_string() }}) as series,
        days.metric_date,
        days.metric,
        days.segment_type,
        days.segment,
        days.age_days,
        days.shape,
        days.good,
        case when days.is_holiday then 8 else days.iso_weekday end as day_class,
        days.is_holiday,
        days.days_ago,
        cast(coalesce(known.numerator, 0) as {{ dbt.type_numeric() }}) as numerator,
        cast(coalesce(known.denominator, 0) as {{ dbt.type_numeric() }}) as denominator
    from days
    left join known
        on days.metric_date = known.metric_date
        and days.metric = known.metric
        and days.segment_type = known.segment_type
        and days.segment = known.segment
        and days.age_days = known.age_days

)

select * from final

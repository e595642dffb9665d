{{ replaces_days(
    'metric_date', changes='int_core__metric_changes', looked_up_by=['metric', 'segment_type'],
) }}
-- Grain: one row is a metric of a segment on a day, as known at an age. Nothing is typed here: what
-- is counted, from which fact and by which segments is what models/metrics declares.
-- depends_on: {{ ref('fct_ad_delivery_daily') }}
-- depends_on: {{ ref('fct_bookings') }}
-- depends_on: {{ ref('fct_campaign_performance_daily') }}
-- depends_on: {{ ref('fct_conversions') }}
-- depends_on: {{ ref('fct_device_daily') }}
-- depends_on: {{ ref('fct_emr_sync_daily') }}
-- depends_on: {{ ref('fct_flow_events') }}
-- depends_on: {{ ref('fct_hospital_tablet_weekly') }}
-- depends_on: {{ ref('fct_prescription_items') }}
-- depends_on: {{ ref('fct_prescriptions') }}
-- depends_on: {{ ref('fct_receptions') }}
-- depends_on: {{ ref('fct_tablet_screens') }}
-- depends_on: {{ ref('fct_tablet_sessions') }}
{% set facts, measure_of = {}, {} %}
{% if execute %}
    {% for metric in graph.metrics.values() if metric.type == 'simple' %}
        {% do measure_of.update({metric.name: metric.type_params.measure.name}) %}
    {% endfor %}
    {% for declared in graph.semantic_models.values() if declared.measures %}
        {% set measures, ages, segments, metrics = {}, {}, {}, [] %}
        {% for measure in declared.measures %}
            {% do measures.update({measure.name: measure.expr}) %}
        {% endfor %}
        {% for metric in graph.metrics.values() | sort(attribute='name') %}
            {% set meta, of = metric.config.meta, metric.type_params %}
            {% set over = measure_of[of.numerator.name if of.numerator else metric.name] %}
            {% if over in measures %}
                {% set under = measure_of[of.denominator.name] if of.denominator else none %}
                {% do metrics.append([metric.name, over, under, meta.get('segments', [])]) %}
                {% for segment in meta.get('segments', []) %}
                    {% do segments.update({segment: segment}) %}
                {% endfor %}
                {% if meta.get('restates') %}{% do ages.update({over: meta.restates}) %}{% endif %}
            {% endif %}
        {% endfor %}
        {% for each in declared.entities + declared.dimensions if each.name in segments %}
            {% do segments.update({each.name: each.expr or each.name}) %}
        {% endfor %}
        {% if ages %}{% do segments.update({'medium': 'medium'}) %}{% endif %}
        {% do facts.update({declared.name: {
            'day': declared.defaults.agg_time_dimension, 'from': declared.model, 'ages': ages,
            'fact': graph.nodes[declared.depends_on.nodes[0]].name, 'measures': measures,
            'segments': segments, 'metrics': metrics,
        }}) %}
    {% endfor %}
{% endif %}

with known_shares as (

    select *
    from {{ ref('int_core__metric_known_shares') }}
    where {{ in_days_to_replace('stat_date') }}

),

ages as (

    select distinct
        stat_date,
        age_days
    from known_shares

),

{% for name, each in facts | dictsort %}
    {{ name }}_summed as (

        select
            {{ each.day }} as metric_date,
            0 as age_days,
            {% for segment, column in each.segments.items() %}
                coalesce(cast({{ column }} as {{ dbt.type_string() }}), '(none)') as {{ segment }},
            {% endfor %}
            {% for measure, expression in each.measures.items() %}
                cast(coalesce(sum({{ expression }}), 0) as {{ dbt.type_numeric() }}) as {{ measure }},
            {% endfor %}
            max(load_id) as load_id
        from {{ ref(each.fact) }}
        where {{ in_days_to_replace(each.day) }}
        group by {{ ([each.day] + each.segments.values() | list) | join(', ') }}

    ),

    -- what restates stands once more for each age: as much of it as was known then
    {{ name }}_aged as (

        select * from {{ name }}_summed
        {% if each.ages %}
            union all
            select
                summed.metric_date,
                ages.age_days,
                {% for segment in each.segments %}summed.{{ segment }},{% endfor %}
                {% for measure in each.measures %}
                    {% if measure in each.ages %}
                        {% set figure = 'known_shares.' ~ each.ages[measure] %}
                        coalesce(
                            {{ ratio('summed.' ~ measure ~ ' * ' ~ figure ~ '_then', figure ~ '_now') }},
                            case when summed.{{ measure }} = 0 then 0 end
                        ) as {{ measure }},
                    {% else %}
                        summed.{{ measure }},
                    {% endif %}
                {% endfor %}
                greatest(summed.load_id, coalesce(known_shares.load_id, 0)) as load_id
            from {{ name }}_summed as summed
            inner join ages on summed.metric_date = ages.stat_date
            left join known_shares
                on summed.metric_date = known_shares.stat_date
                    and summed.medium = known_shares.medium
                    and ages.age_days = known_shares.age_days
        {% endif %}

    ),

    {{ name }}_segments as (

        {% for segment in ['total'] + each.segments | list %}
            {{ 'union all' if not loop.first }}
            select
                metric_date,
                age_days,
                '{{ segment }}' as segment_type,
                {{ "'total'" if segment == 'total' else segment }} as segment,
                {% for measure in each.measures %}
                    {% if measure in each.ages %}
                        case when count(*) = count({{ measure }}) then sum({{ measure }}) end
                    {% else %}
                        sum({{ measure }})
                    {% endif %} as {{ measure }},
                {% endfor %}
                max(load_id) as load_id
            from {{ name }}_aged
            group by metric_date, age_days{{ ', ' ~ segment if segment != 'total' }}
        {% endfor %}

    ),
{% endfor %}

counted as (

    select
        stat_date as metric_date,
        age_days,
        'total' as segment_type,
        'total' as segment,
        'none' as metric,
        false as is_ratio,
        cast(null as {{ dbt.type_numeric() }}) as numerator,
        cast(null as {{ dbt.type_numeric() }}) as denominator,
        cast(null as {{ dbt.type_bigint() }}) as load_id
    from ages
    where false
    {% for name, each in facts | dictsort %}
        {% for metric, over, under, segments in each.metrics %}
            union all
            select
                metric_date,
                age_days,
                segment_type,
                segment,
                '{{ metric }}' as metric,
                {{ under is not none }} as is_ratio,
                {{ over }} as numerator,
                cast({{ under or 'null' }} as {{ dbt.type_numeric() }}) as denominator,
                load_id
            from {{ name }}_segments
            where segment_type in ('{{ (['total'] + segments) | join("', '") }}')
                {% if over not in each.ages and under not in each.ages %}and age_days = 0{% endif %}
        {% endfor %}
    {% endfor %}

),

final as (

    select
        metric_date,
        metric,
        segment_type,
        segment,
        cast(age_days as {{ dbt.type_bigint() }}) as age_days,
        cast(numerator as {{ dbt.type_numeric() }}) as numerator,
        denominator,
        case when is_ratio then {{ ratio('numerator', 'denominator') }}
            else cast(numerator as {{ dbt.type_numeric() }})
        end as value,
        load_id
    from counted
    where numerator is not null
        and (denominator is not null or not is_ratio)

)

select * from final

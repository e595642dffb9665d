-- A day of metrics changes with each fact that metrics are declared over; days repeat.
-- depends_on: {{ ref('int_booking_flow__booking_changes') }}
-- depends_on: {{ ref('int_booking_flow__event_changes') }}
-- depends_on: {{ ref('int_booking_flow__reception_changes') }}
-- depends_on: {{ ref('int_marketing__ad_performance_changes') }}
-- depends_on: {{ ref('int_marketing__ad_report_changes') }}
-- depends_on: {{ ref('int_marketing__conversion_changes') }}
-- depends_on: {{ ref('int_prescription__item_changes') }}
-- depends_on: {{ ref('int_prescription__prescription_changes') }}
-- depends_on: {{ ref('int_tablet_usage__device_day_changes') }}
-- depends_on: {{ ref('int_tablet_usage__session_changes') }}
{% set facts = {} %}
{% if execute %}
    {% for semantic_model in graph.semantic_models.values() if semantic_model.measures %}
        {% set fact = graph.nodes[semantic_model.depends_on.nodes[0]] %}
        {% set replaced = fact.config.meta.replace_days %}
        {% do facts.update({replaced.changes: replaced.column}) %}
    {% endfor %}
{% endif %}

with ad_report_changes as (

    select * from {{ ref('int_marketing__ad_report_changes') }}

),

final as (

    select
        stat_date as metric_date,
        load_id
    from ad_report_changes
    {% for changes, column in facts | dictsort %}
        union all
        select
            {{ column }} as metric_date,
            load_id
        from {{ ref(changes) }}
        where {{ column }} is not null
    {% endfor %}

)

select * from final

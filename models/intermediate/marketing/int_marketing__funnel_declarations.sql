-- What `vars: funnels` declares, as rows. Funnels without an item follow a person.
with declared as (

    {% set ns = namespace(first=true) %}
    {% for funnel in var('funnels') %}
        {% for step in funnel.steps %}
            {% set step_number = loop.index %}
            {% for event in step.events %}
                {% for screen in step.get('screens', [none]) %}
                    {{ 'union all' if not ns.first }}
                    {% set ns.first = false %}
                    select
                        '{{ funnel.name }}' as funnel,
                        '{{ funnel.label_ko }}' as funnel_label_ko,
                        {{ funnel.window_hours }} as window_hours,
                        '{{ funnel.get('item', 'none') }}' as item,
                        {{ step_number }} as step_number,
                        '{{ step.name }}' as step_name,
                        '{{ step.label_ko }}' as step_label_ko,
                        '{{ event }}' as event_name,
                        '{{ '*' if screen is none else screen }}' as screen
                {% endfor %}
            {% endfor %}
        {% endfor %}
    {% endfor %}

),

final as (

    select
        funnel,
        funnel_label_ko,
        cast(window_hours as {{ dbt.type_bigint() }}) as window_hours,
        item,
        cast(step_number as {{ dbt.type_bigint() }}) as step_number,
        step_name,
        step_label_ko,
        event_name,
        screen
    from declared

)

select * from final

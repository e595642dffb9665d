{# Whole seconds from one instant to a later one; negative where they are out of order (dbt's datediff gives a float on Postgres). #}
{% macro seconds_between(earlier, later) -%}
    cast({{ dbt.datediff(earlier, later, 'second') }} as {{ dbt.type_bigint() }})
{%- endmacro %}

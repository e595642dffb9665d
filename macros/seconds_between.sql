{# Whole seconds from one instant to a later one; negative where they are out of order. #}
{% macro seconds_between(earlier, later) -%}
    {{ dbt.datediff(earlier, later, 'second') }}
{%- endmacro %}

{# One schema per layer or mart, the same name on every engine (dbt's default would prefix it with the target's). #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema if custom_schema_name is none else custom_schema_name | trim }}
{%- endmacro %}

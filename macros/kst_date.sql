{# Korean calendar day of a UTC instant. Korea has kept +09:00 without summer time since 1988, so no zone table is needed. #}
{% macro kst_date(instant) -%}
    cast({{ dbt.dateadd('hour', 9, instant) }} as date)
{%- endmacro %}

{# A date some days later, as a date (dbt's dateadd gives a timestamp on DuckDB and Postgres, a datetime on BigQuery). #}
{% macro add_days(date, days) -%}
    cast({{ dbt.dateadd('day', days, date) }} as date)
{%- endmacro %}

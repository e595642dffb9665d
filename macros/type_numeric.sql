{# dbt's `numeric` keeps six decimals on DuckDB and Postgres, but nine on BigQuery, and rounded sums would drift apart. #}
{% macro bigquery__type_numeric() -%}
    numeric(28, 6)
{%- endmacro %}

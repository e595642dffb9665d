{# Share or rate: exact decimal division, null where the denominator is 0 (DuckDB gives inf, Postgres and BigQuery fail; Postgres cuts 7/2 to 3). #}
{% macro ratio(numerator, denominator) -%}
    cast(
        cast({{ numerator }} as {{ dbt.type_numeric() }})
        / nullif(cast({{ denominator }} as {{ dbt.type_numeric() }}), 0)
        as {{ dbt.type_numeric() }}
    )
{%- endmacro %}

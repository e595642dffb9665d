{#
  Share or rate as a decimal, rounded half away from zero; null where the denominator is 0. Plain division
  is no help: DuckDB divides in floating point and gives inf, Postgres and BigQuery fail, and they round
  twice; 7/2 is 3 on Postgres. So whole numbers are divided, to the seventh decimal, and that is rounded.
#}
{% macro ratio(numerator, denominator) -%}
    {{ adapter.dispatch('ratio')(numerator, denominator) }}
{%- endmacro %}

{% macro default__ratio(numerator, denominator) -%}
    cast(
        div(
            cast({{ numerator }} as {{ dbt.type_numeric() }}) * 10000000,
            nullif(cast({{ denominator }} as {{ dbt.type_numeric() }}), 0)
        ) * cast('0.0000001' as numeric(8, 7)) as {{ dbt.type_numeric() }}
    )
{%- endmacro %}

{% macro duckdb__ratio(numerator, denominator) -%}
    cast(
        cast(
            cast(cast({{ numerator }} as {{ dbt.type_numeric() }}) * 10000000000000 as hugeint)
            // cast(nullif(cast({{ denominator }} as {{ dbt.type_numeric() }}), 0) * 1000000 as hugeint)
            as numeric(31, 0)
        ) * cast('0.0000001' as numeric(8, 7)) as {{ dbt.type_numeric() }}
    )
{%- endmacro %}

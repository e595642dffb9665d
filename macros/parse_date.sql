{#
  A day out of text as reports write it: 20260601, 2026-06-01 or 2026-06-01 00:00:00; null where there is
  none. `cast` alone reads the first on some engines only, and fails on empty text on all.
#}
{% macro parse_date(text) -%}
    cast(
        nullif(
            substring(replace(trim({{ text }}), '-', ''), 1, 4) || '-'
            || substring(replace(trim({{ text }}), '-', ''), 5, 2) || '-'
            || substring(replace(trim({{ text }}), '-', ''), 7, 2), '--'
        ) as date
    )
{%- endmacro %}

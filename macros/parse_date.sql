{#
  A day out of text as reports write it: 20260601, 2026-06-01 or 2026-06-01 00:00:00; null where it is none.
  `cast` alone reads the first on some engines only, and fails on all for what is no day: one row of one
  medium would stop every model. Feb 29 is a day in each fourth year, as it is until 2099.
#}
{% macro parse_date(text) -%}
    {%- set day = "replace(substring(trim(" ~ text ~ "), 1, 10), '-', '')" -%}
    {%- set parts = ["substring(" ~ day ~ ", 1, 4)", "substring(" ~ day ~ ", 5, 2)", "substring(" ~ day ~ ", 7, 2)"] -%}
    case
        when length({{ day }}) = 8
            and translate({{ day }}, '0123456789', '') = ''
            and {{ parts[0] }} >= '1900'
            and {{ parts[1] }} between '01' and '12'
            then case
                when {{ parts[2] }} between '01' and case
                    when {{ parts[1] }} in ('04', '06', '09', '11') then '30'
                    when {{ parts[1] }} <> '02' then '31'
                    when mod(cast({{ parts[0] }} as integer), 4) = 0 then '29'
                    else '28'
                end
                    then cast({{ parts | join(" || '-' || ") }} as date)
            end
    end
{%- endmacro %}

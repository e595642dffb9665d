{#
  md5 over the parts as text, joined by a mark that keeps ('a', 'bc') and ('ab', 'c') apart; null counts
  as its own value. A decimal's text differs between engines, and so does a key that has one as a part.
#}
{% macro surrogate_key(columns) -%}
    {% set parts = [] %}
    {% for column in columns %}
        {% do parts.append("coalesce(" ~ dbt.cast(column, dbt.type_string()) ~ ", '~null~')") %}
    {% endfor %}
    {{ dbt.hash("concat(" ~ parts | join(", '|', ") ~ ")") }}
{%- endmacro %}

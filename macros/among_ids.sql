{#
  A filter that holds for each number that a query gives as `id`, and for few others: ranges of
  literals, since no engine prunes by what a subquery or join gives. Ids rise in time, so a day's are
  a range or two, which find DuckDB's blocks, Postgres' index entries and BigQuery's clusters; a case
  of two years ago adds one range, not two years. Blocks grow until a hundred ranges suffice.
#}
{% macro among_ids(column, query) %}
    {# mod is negative where the id is #}
    {% set first = 'id - mod(mod(id, 1000) + 1000, 1000)' %}
    {% set asked = 'select distinct ' ~ first ~ ' from (' ~ query ~ ') as asked' %}
    {% set firsts = run_query(asked).columns[0].values() if execute else [] %}
    {% set firsts = firsts | reject('none') | map('int') | sort %}
    {% set chosen = namespace(ranges=none) %}
    {% for size in [1000, 100000, 10000000, 1000000000] if chosen.ranges is none %}
        {% set ranges = [] %}
        {% for each in firsts %}
            {% set first = each // size * size %}
            {% if ranges and first <= ranges[-1].end %}
                {% do ranges[-1].update({'end': first + size}) %}
            {% else %}
                {% do ranges.append({'start': first, 'end': first + size}) %}
            {% endif %}
        {% endfor %}
        {% if ranges | length <= 100 or loop.last %}{% set chosen.ranges = ranges %}{% endif %}
    {% endfor %}
    {%- for range in chosen.ranges -%}
        {{ '(' if loop.first else ' or ' -}}
        {{ column }} >= {{ range.start }} and {{ column }} < {{ range.end }}
        {{- ')' if loop.last }}
    {%- else -%}
        false
    {%- endfor -%}
{% endmacro %}

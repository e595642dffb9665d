{#
  The one incremental design: a fact is cut by a Korean calendar day, and a run replaces whole days.
  The days to replace are those of rows that a load touched since the fact was built (also rows that
  vanished), so late data and deletions land exactly, however old their day is.

  A model says so in its first line,
      {{ replaces_days(
          'session_date', changes='int_tablet_usage__session_changes', looked_up_by=['session_id']
      ) }}
  where `changes` is a model with that day column and `load_id`, and filters with
      where {{ in_days_to_replace('session_date') }}
  `looked_up_by` are the columns beside the day by which rows are found: at most four, the most used
  first. The fact itself keeps `load_id`, the newest load that each row depends on.
  `goodoc build --since D --until D` replaces every day of that window as well.

  Each engine replaces days in its own way: DuckDB and Postgres delete and insert in a transaction;
  BigQuery, which allows no strategy of one's own, overwrites the days' partitions in one statement.
  The days stand in all queries as literals, since no engine prunes by what a subquery gives.
#}

{% macro replaces_days(column, changes, looked_up_by) %}
    {%- set indexes = [] -%}
    {%- for each in [column] + looked_up_by %}{% do indexes.append({'columns': [each]}) %}{% endfor -%}
    {#- DuckDB keeps the range of each column's values by block, and its indexes don't serve scans -#}
    {%- set layouts = {
        'postgres': {'indexes': indexes},
        'bigquery': {
            'partition_by': {'field': column, 'data_type': 'date'}, 'cluster_by': looked_up_by
        },
    } -%}
    {{- config(
        materialized='incremental',
        meta={'replace_days': {'column': column, 'changes': changes}},
        **layouts.get(target.type, {})
    ) -}}
    {#- parsing must see the reference, so that the changes are built before the fact -#}
    {%- do ref(changes) -%}
{% endmacro %}

{% macro days_to_replace() %}
    {#- asked once a run, so that the days that are deleted are those that are inserted -#}
    {% set known = graph.setdefault('days_to_replace', {}) %}
    {% set key = invocation_id ~ model.unique_id %}
    {% if key not in known %}
        {% set declared = config.get('meta')['replace_days'] %}
        {% set changed %}
            select distinct {{ dbt.cast(declared['column'], dbt.type_string()) }} as changed_day
            from {{ ref(declared['changes']) }}
            where load_id > {{ watermarks().get(model.name, 0) }}
                and {{ declared['column'] }} is not null
        {% endset %}
        {% set days = run_query(changed).columns[0].values() | map('string') | list %}
        {# a window comes on top: a load's days must not be passed over, since the watermark moves #}
        {% if var('since', none) %}
            {% set since = modules.datetime.date.fromisoformat(var('since')) %}
            {% set until = modules.datetime.date.fromisoformat(var('until', var('since'))) %}
            {% for n in range((until - since).days + 1) %}
                {% do days.append((since + modules.datetime.timedelta(days=n)).isoformat()) %}
            {% endfor %}
        {% endif %}
        {% do known.update({key: days | unique | sort}) %}
    {% endif %}
    {{ return(known[key]) }}
{% endmacro %}

{# `days_before` and `days_after` take as many days beside each as well, for rows that may stand on another day than their fact. #}
{% macro in_days_to_replace(column, instant=none, days_after=0, days_before=0) %}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {%- set days = [] -%}
        {%- for day in days_to_replace() -%}
            {%- for n in range(-days_before, days_after + 1) -%}
                {%- set near = modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=n) -%}
                {%- do days.append(near.isoformat()) -%}
            {%- endfor -%}
        {%- endfor -%}
        {{ day_in(column, days | unique | sort, instant) }}
    {%- endif -%}
{% endmacro %}

{% macro since_days_to_replace(column, days_before=0) %}
    {%- if not is_incremental() -%}
        true
    {%- elif days_to_replace() | length == 0 -%}
        false
    {%- else -%}
        {%- set first = modules.datetime.date.fromisoformat(days_to_replace() | first) -%}
        {%- set since = first - modules.datetime.timedelta(days=days_before) -%}
        {{ column }} >= cast('{{ since }}' as date)
    {%- endif -%}
{% endmacro %}

{% macro day_in(column, days, instant=none) -%}
    {%- if days | length == 0 -%}
        false
    {%- else -%}
        {{ column }} in (
            {%- for day in days -%}
                cast('{{ day }}' as date){{ ', ' if not loop.last }}
            {%- endfor -%}
        )
        {#- the day is computed from the instant, by which alone a raw table can be pruned -#}
        {%- if instant %}
            and (
                {%- for span in spans(days) %}
                    {{ 'or ' if not loop.first -}}
                    {{ instant }} >= cast('{{ span.start }}' as timestamp)
                    and {{ instant }} < cast('{{ span.end }}' as timestamp)
                {%- endfor %}
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# The instants of Korean days, days in a row as one: [{'start': …, 'end': …}], start included. #}
{% macro spans(days) %}
    {% set found = [] %}
    {% for day in days %}
        {% set midnight = modules.datetime.datetime.fromisoformat(day) %}
        {% set start = midnight - modules.datetime.timedelta(hours=9) %}
        {% set end = start + modules.datetime.timedelta(days=1) %}
        {% if found and found[-1].end == start %}
            {% do found[-1].update({'end': end}) %}
        {% else %}
            {% do found.append({'start': start, 'end': end}) %}
        {% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro get_incremental_replace_days_sql(arg_dict) %}
    {% set column = config.get('meta')['replace_days']['column'] %}
    {% set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    delete from {{ arg_dict['target_relation'] }} where {{ day_in(column, days_to_replace()) }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{#
  In place of dbt-bigquery's own, which overwrites those partitions that have new rows: a day whose
  rows all vanished would stay. Here the days to replace are the partitions, with or without rows.
#}
{% macro bq_insert_overwrite_sql(
    tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns,
    tmp_relation_exists, copy_partitions
) %}
    {% if days_to_replace() %}
        {% set replaced = day_in('DBT_INTERNAL_DEST.' ~ partition_by.field, days_to_replace()) %}
        {% set rows = bq_static_select_insert_overwrite_sql(
            tmp_relation, sql, partition_by, tmp_relation_exists
        ) %}
        {{ get_insert_overwrite_merge_sql(target_relation, rows, dest_columns, [replaced]) }};
    {% endif %}
    drop table if exists {{ tmp_relation }}
{% endmacro %}

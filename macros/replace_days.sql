{#
  The one incremental design: a fact is cut by a Korean calendar day, and a run replaces whole days.
  The days to replace are those of rows that a load touched since the fact was built (also rows that
  vanished), so late data and deletions land exactly, however old their day is.

  A model says so in its first line,
      {{ replaces_days('session_date', changes='stg_app_db__tablet_sessions') }}
  where `changes` is a model with that day column and `load_id`, and filters with
      where {{ in_days_to_replace('session_date') }}
  The fact itself keeps `load_id`, the newest load that each row depends on.
  `goodoc build --since D --until D` replaces every day of that window as well.
#}

{% macro replaces_days(column, changes) %}
    {{- config(materialized='incremental', meta={'replace_days': {'column': column, 'changes': changes}}) -}}
    {#- parsing must see the reference, so that the changes are built before the fact -#}
    {%- do ref(changes) -%}
{% endmacro %}

{% macro days_to_replace() %}
    {% set declared = config.get('meta')['replace_days'] %}
    {% set changes = ref(declared['changes']) %}
    {% set changed %}
        select distinct {{ dbt.cast(declared['column'], dbt.type_string()) }} as changed_day
        from {{ changes }}
        where load_id > (select coalesce(max(load_id), 0) from {{ this }})
            and {{ declared['column'] }} is not null
    {% endset %}
    {% set days = run_query(changed).columns[0].values() | list %}
    {# a window comes on top: days that loads touched must not be passed over, since load_id moves on #}
    {% if var('since', none) %}
        {% set since = modules.datetime.date.fromisoformat(var('since')) %}
        {% set until = modules.datetime.date.fromisoformat(var('until', var('since'))) %}
        {% for n in range((until - since).days + 1) %}
            {% do days.append((since + modules.datetime.timedelta(days=n)).isoformat()) %}
        {% endfor %}
    {% endif %}
    {{ return(days | unique | sort) }}
{% endmacro %}

{% macro in_days_to_replace(column) %}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {{ day_in(column, days_to_replace()) }}
    {%- endif -%}
{% endmacro %}

{% macro day_in(column, days) -%}
    {% if days | length == 0 -%}
        false
    {%- else -%}
        {{ column }} in ({% for day in days %}cast('{{ day }}' as date){{ ', ' if not loop.last }}{% endfor %})
    {%- endif %}
{%- endmacro %}

{% macro get_incremental_replace_days_sql(arg_dict) %}
    {% set column = config.get('meta')['replace_days']['column'] %}
    {% set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    delete from {{ arg_dict['target_relation'] }} where {{ day_in(column, days_to_replace()) }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{#
  Which loads a table has read. `intermediate.watermarks` holds, for each table that a run built, the
  newest load of which the table has everything; an increment asks only for changes after it, so that
  neither the fact nor raw's history is read to find out. Missing: everything is a change. A run that
  is killed leaves the old number, and its days are replaced once more.

  dbt's `graph` is the memory of one invocation: what is put there is in no artefact.
#}

{#
  On-run-start: the newest load, before any model reads. One that comes in later may be read in part,
  and is a change to the next run.
#}
{% macro note_newest_load() %}
    {% set loads = source('raw_ledger', 'loads') %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% set newest = run_query('select coalesce(max(load_id), 0) from ' ~ loads).columns[0][0] %}
        {% do graph.update({'newest_load-' ~ invocation_id: newest | int}) %}
    {% endif %}
{% endmacro %}

{# On-run-end: the watermarks of the tables that were built, in one statement. #}
{% macro set_watermarks(results) %}
    {% set newest = graph.get('newest_load-' ~ invocation_id) %}
    {% if newest is not none and not flags.EMPTY %}
        {% set known = watermarks() %}
        {% set built = [] %}
        {% for result in results %}
            {% set node = graph.nodes.get(result.node.unique_id, {'config': {}}) %}
            {% set is_table = node.config.materialized in ('table', 'incremental') %}
            {% if result.status == 'success' and is_table %}
                {# results stand in the order in which models ended, parents first #}
                {% do known.update({node.name: loads_held(node, newest, known)}) %}
                {% do built.append(node.name) %}
            {% endif %}
        {% endfor %}
        {% if built %}
            create table if not exists {{ watermark_table() }}
            (model_name {{ dbt.type_string() }}, load_id {{ dbt.type_bigint() }});
            merge into {{ watermark_table() }} as kept
            using (
                {% for name in built -%}
                    select '{{ name }}' as model_name, {{ known[name] }} as load_id
                    {{ 'union all' if not loop.last }}
                {% endfor -%}
            ) as fresh
            on kept.model_name = fresh.model_name
            when matched then update set load_id = fresh.load_id
            when not matched then
                insert (model_name, load_id) values (fresh.model_name, fresh.load_id);
        {% endif %}
    {% endif %}
{% endmacro %}

{#
  The newest load of which a model has everything: no newer than what the tables that it reads have,
  some of which this run may not have built.
#}
{% macro loads_held(node, newest, known) %}
    {% set held = [newest] %}
    {% for parent in node.depends_on.nodes if parent.startswith('model.') %}
        {% set upstream = graph.nodes[parent] %}
        {% if upstream.config.materialized == 'view' %}
            {% do held.append(loads_held(upstream, newest, known)) %}
        {% else %}
            {% do held.append(known.get(upstream.name, 0)) %}
        {% endif %}
    {% endfor %}
    {{ return(held | min) }}
{% endmacro %}

{% macro watermarks() %}
    {% set key = 'watermarks-' ~ invocation_id %}
    {% if key not in graph %}
        {% set found = {} %}
        {% if load_relation(watermark_table()) is not none %}
            {% set kept = run_query('select model_name, load_id from ' ~ watermark_table()) %}
            {% for row in kept.rows %}{% do found.update({row[0]: row[1] | int}) %}{% endfor %}
        {% endif %}
        {% do graph.update({key: found}) %}
    {% endif %}
    {{ return(graph[key]) }}
{% endmacro %}

{#
  The oldest load up to which any incremental model that reads from this one, through however many
  others, has everything; 0 where none was built yet. One that was never built doesn't count: it is
  built from all rows, whatever changed. So a table of changes can hold only what its readers lack.
#}
{% macro oldest_watermark(model_name) %}
    {% set readers = [] %}
    {% set marks = [] %}
    {% for node in (graph.nodes.values() if execute else []) if node.name == model_name %}
        {% do readers.append(node.unique_id) %}
    {% endfor %}
    {# the nodes stand in no order, so passes go on until one finds no reader that is further away #}
    {% set seen = namespace(readers=0) %}
    {% for hop in (graph.nodes if execute else []) if seen.readers < readers | length %}
        {% set seen.readers = readers | length %}
        {% for node in graph.nodes.values() if node.resource_type == 'model' %}
            {% for parent in node.depends_on.nodes if parent in readers %}
                {% do readers.append(node.unique_id) if node.unique_id not in readers %}
            {% endfor %}
        {% endfor %}
    {% endfor %}
    {% for reader in readers %}
        {% set node = graph.nodes[reader] %}
        {% set mark = watermarks().get(node.name, 0) %}
        {% if node.config.materialized == 'incremental' and mark > 0 %}
            {% do marks.append(mark) %}
        {% endif %}
    {% endfor %}
    {{ return(marks | min if marks else 0) }}
{% endmacro %}

{% macro watermark_table() %}
    {{ return(api.Relation.create(
        database=target.database, schema='intermediate', identifier='watermarks'
    )) }}
{% endmacro %}

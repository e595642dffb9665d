{#
  A seed's `column_types` go into the table as they are, and no word for text is known to all three
  engines (Postgres has no `string`, BigQuery no `text`). Seeds say `string`; Postgres reads it as text.
#}
{% macro postgres__create_csv_table(model, agate_table) %}
    {% set column_types = model['config'].get('column_types', {}) %}
    {% for column, type in column_types.items() %}
        {% do column_types.update({column: api.Column.translate_type(type)}) %}
    {% endfor %}
    {{ return(default__create_csv_table(model, agate_table)) }}
{% endmacro %}

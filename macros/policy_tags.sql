{#
  In place of dbt-bigquery's own, which sets the descriptions of columns: a column's policy tag comes
  along, by its privacy class. GOODOC_BQ_POLICY_TAGS lists them, as in
      sensitive=projects/P/locations/L/taxonomies/T/policyTags/1,pseudonym=projects/...
  Only BigQuery has policy tags; on the other engines who may read what is decided by schema.
#}
{% macro bigquery__alter_column_comment(relation, column_dict) %}
    {% set tags = {} %}
    {% for pair in env_var('GOODOC_BQ_POLICY_TAGS', '').split(',') if '=' in pair %}
        {% do tags.update({pair.split('=')[0] | trim: pair.split('=')[1] | trim}) %}
    {% endfor %}
    {% for column in column_dict.values() if column.config.meta.privacy in tags %}
        {% do column.update({'policy_tags': [tags[column.config.meta.privacy]]}) %}
    {% endfor %}
    {% do adapter.update_columns(relation, column_dict) %}
{% endmacro %}

-- The few columns that tell what each extraction read, without its figures. Two extractions of one
-- day can have the same window: each has a file of its own.
{% for report in var('ad_reports') %}
    {% set own_medium = report.medium == '*' %}
    {% set own_day = 'reported_date' in report.columns %}
    select
        {{ 'medium' if own_medium else "'" ~ report.medium ~ "' as medium" }},
        '{{ report.report }}' as report,
        account_id,
        stat_date,
        {{ 'reported_date' if own_day else 'stat_date as reported_date' }},
        extracted_on,
        window_from,
        window_to,
        source_file,
        is_deleted,
        cast(count(*) as {{ dbt.type_bigint() }}) as row_count,
        max(load_id) as load_id
    from {{ ref('stg_ads_' ~ ('drops' if own_medium else report.medium) ~ '__' ~ report.report) }}
    group by
        {{ 'medium, ' if own_medium }}{{ 'reported_date, ' if own_day -}}
        account_id, stat_date, extracted_on, window_from, window_to, source_file, is_deleted
    {{ 'union all' if not loop.last }}
{% endfor %}

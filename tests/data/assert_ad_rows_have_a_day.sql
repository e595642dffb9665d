-- A row with figures and a day that is none is in no mart: the medium writes days in another way.
{{ config(severity='warn') }}

{% for report in var('ad_reports') %}
    {% set own_medium = report.medium == '*' %}
    select
        '{{ 'files' if own_medium else report.medium }}' as medium,
        '{{ report.report }}' as report,
        count(*) as row_count
    from {{ ref('stg_ads_' ~ ('drops' if own_medium else report.medium) ~ '__'
        ~ report.report) }}
    where stat_date is null
        and source_line > 0
        and not is_deleted
        and coalesce({{ report.fields | join(', ') }}) is not null
    having count(*) > 0
    {{ 'union all' if not loop.last }}
{% endfor %}

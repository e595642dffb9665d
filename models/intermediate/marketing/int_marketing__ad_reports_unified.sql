-- Each row of a report is met by its fields in the seed, which alone says what a field means: from
-- wide to long on any engine. Which columns a report has stands in dbt_project.yml.
{% set texts = [
    'account_id', 'campaign_id', 'campaign_name', 'ad_group_id', 'ad_id', 'keyword_id',
    'keyword_text', 'match_type', 'search_term', 'device', 'currency_native',
    'conversion_type_native', 'attribution_native', 'media_source',
] %}

with media_fields as (

    select * from {{ ref('media_fields') }}

),

{% for report in var('ad_reports') %}
    fields_{{ loop.index }} as (

        select *
        from media_fields
        where report = '{{ report.report }}'
            and {{ "medium is not null" if report.medium == '*'
                else "medium = '" ~ report.medium ~ "'" }}

    ),

{% endfor %}

unified as (

    {% for report in var('ad_reports') %}
        {% set own_medium = report.medium == '*' %}
        {% set columns = report.columns + ['account_id'] %}
        select
            {{ 'reports.medium' if own_medium else "'" ~ report.medium ~ "' as medium" }},
            '{{ report.report }}' as report,
            '{{ report.kind }}' as kind,
            '{{ report.level }}' as level,
            reports.source_file,
            reports.source_line,
            reports.stat_date,
            {{ 'reports.reported_date' if 'reported_date' in columns
                else 'reports.stat_date as reported_date' }},
            {% for column in texts %}
                {% if column in columns %}
                    reports.{{ column }},
                {% else %}
                    cast(null as {{ dbt.type_string() }}) as {{ column }},
                {% endif %}
            {% endfor %}
            fields.field,
            fields.metric,
            cast(fields.factor as {{ dbt.type_numeric() }}) as factor,
            fields.conversion_type,
            fields.attribution_window,
            fields.click_or_view,
            fields.date_basis,
            coalesce(fields.is_primary, false) as is_primary,
            case fields.field
                {% for field in report.fields %}
                    when '{{ field }}' then cast(reports.{{ field }} as {{ dbt.type_numeric() }})
                {% endfor %}
            end as figure,
            reports.extracted_on,
            reports.window_from,
            reports.window_to,
            reports.is_deleted,
            reports.load_id
        from {{ ref('stg_ads_' ~ ('drops' if own_medium else report.medium) ~ '__'
            ~ report.report) }} as reports
        -- a row for each of its fields
        cross join fields_{{ loop.index }} as fields
        where
            reports.stat_date is not null
            and {{ "fields.medium in ('*', reports.medium)" if own_medium else 'true' }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from unified

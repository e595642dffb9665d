-- What the models read of each report and what the seed explains are the same fields, each once.
with media as (

    select * from {{ ref('media') }}

),

media_fields as (

    select * from {{ ref('media_fields') }}

),

read_fields as (

    {% for report in var('ad_reports') %}
        {% set last_report = loop.last %}
        {% for field in report.fields %}
            select
                {{ 'medium' if report.medium == '*' else "'" ~ report.medium ~ "' as medium" }},
                '{{ report.report }}' as report,
                '{{ field }}' as field
            {{ "from media where lane = 'file'" if report.medium == '*' }}
            {{ 'union all' if not (loop.last and last_report) }}
        {% endfor %}
    {% endfor %}

),

explained_fields as (

    select
        coalesce(media.medium, media_fields.medium) as medium,
        media_fields.report,
        media_fields.field
    from media_fields
    left join media
        on media_fields.medium = '*'
        and media.lane = 'file'

),

counted as (

    select
        medium,
        report,
        field,
        1 as is_read,
        0 as is_explained
    from read_fields
    union all
    select
        medium,
        report,
        field,
        0 as is_read,
        1 as is_explained
    from explained_fields

)

select
    medium,
    report,
    field,
    sum(is_read) as read_count,
    sum(is_explained) as explained_count
from counted
group by medium, report, field
having sum(is_read) <> 1
    or sum(is_explained) <> 1

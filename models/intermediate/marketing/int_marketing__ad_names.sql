-- What reports and lists call accounts, campaigns, ad groups, ads and keywords, by the day on which
-- they said so. A report names what it delivered; a list names what exists.
{% set parents = ['campaign_id', 'ad_group_id'] %}
{% set levels = {
    'campaign': ('campaign_id', 'campaign_name'), 'ad_group': ('ad_group_id', 'ad_group_name'),
    'ad': ('ad_id', 'ad_name'), 'keyword': ('keyword_id', 'keyword_text'),
} %}
{% set origins = [] %}
{% for report in var('ad_reports') %}
    {% for level, (id, text) in levels.items() if id in report.columns and report.kind in
        ('delivery', 'total', 'keyword', 'crm') %}
        {% do origins.append(
            (report.medium, report.report, level, id, text, report.columns, false)
        ) %}
    {% endfor %}
{% endfor %}
{% for listing in var('ad_lists') if listing.level in levels %}
    {% set id, text = levels[listing.level] %}
    {% do origins.append(
        (listing.medium, listing.list, listing.level, id, text, listing.columns, true)
    ) %}
{% endfor %}

{% for medium, table, level, id, text, columns, is_list in origins %}
    {% set own_medium = medium == '*' %}
    select
        {{ 'told.medium' if own_medium else "'" ~ medium ~ "' as medium" }},
        '{{ level }}' as level,
        '{{ table }}' as report,
        told.account_id,
        {% for parent in parents %}
            {% if parent in columns and level != 'campaign' and parent != id %}
                told.{{ parent }},
            {% else %}
                cast(null as {{ dbt.type_string() }}) as {{ parent }},
            {% endif %}
        {% endfor %}
        told.{{ id }} as entity_id,
        {% for column in [text, 'landing_url', 'channel'] %}
            {% set fits = column in columns
                and (column != 'landing_url' or level in ('ad', 'keyword'))
                and (column != 'channel' or level == 'campaign') %}
            {% set alias = 'entity_name' if loop.first else column %}
            {% if fits %}
                max(nullif(told.{{ column }}, '')) as {{ alias }},
            {% else %}
                cast(null as {{ dbt.type_string() }}) as {{ alias }},
            {% endif %}
        {% endfor %}
        {{ 'true' if is_list else 'false' }} as is_listed,
        {{ 'told.is_deleted' if is_list else 'false' }} as is_gone,
        {{ kst_date('told.extracted_at') if is_list else 'told.extracted_on' }} as named_on,
        max(told.load_id) as load_id
    from {{ ref('stg_ads_' ~ ('drops' if own_medium else medium) ~ '__' ~ table) }} as told
    where told.{{ id }} is not null
        {{ 'and not told.is_deleted' if not is_list }}
    group by
        {{ 'told.medium, ' if own_medium }}told.account_id, told.{{ id }},
        {% for parent in parents if parent in columns and level != 'campaign' and parent != id %}
            told.{{ parent }},
        {% endfor %}
        {{ 'told.is_deleted, ' ~ kst_date('told.extracted_at') if is_list
            else 'told.extracted_on' }}
    union all
{% endfor %}
select
    medium,
    'account' as level,
    'accounts' as report,
    account_id,
    cast(null as {{ dbt.type_string() }}) as campaign_id,
    cast(null as {{ dbt.type_string() }}) as ad_group_id,
    account_id as entity_id,
    account_name as entity_name,
    cast(null as {{ dbt.type_string() }}) as landing_url,
    cast(null as {{ dbt.type_string() }}) as channel,
    true as is_listed,
    is_deleted as is_gone,
    {{ kst_date('extracted_at') }} as named_on,
    load_id
from {{ ref('int_marketing__ad_accounts') }}
union all
select
    medium,
    'account' as level,
    'all reports' as report,
    account_id,
    cast(null as {{ dbt.type_string() }}) as campaign_id,
    cast(null as {{ dbt.type_string() }}) as ad_group_id,
    account_id as entity_id,
    cast(null as {{ dbt.type_string() }}) as entity_name,
    cast(null as {{ dbt.type_string() }}) as landing_url,
    cast(null as {{ dbt.type_string() }}) as channel,
    false as is_listed,
    false as is_gone,
    extracted_on as named_on,
    max(load_id) as load_id
from {{ ref('int_marketing__ad_report_days') }}
where account_id is not null
    and not is_deleted
group by medium, account_id, extracted_on

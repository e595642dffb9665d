{# reports by keyword; where a medium has none, those of its ads that name the keyword #}
{% set keyword_media = var('ad_reports') | selectattr('kind', 'equalto', 'keyword')
    | map(attribute='medium') | list %}
{% set ids = [
    'account_id', 'campaign_id', 'ad_group_id', 'keyword_id', 'match_type', 'device', 'search_term',
] %}

with figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where is_latest
        and (metric in ('impressions', 'clicks', 'spend', 'rank', 'rank_sum') or is_primary)
        and (
            kind in ('keyword', 'search_term')
            {% for report in var('ad_reports')
                if report.kind == 'delivery' and 'keyword_id' in report.columns
                and report.medium not in keyword_media %}
                or (medium = '{{ report.medium }}' and report = '{{ report.report }}')
            {% endfor %}
        )

),

-- back to the report's rows: a rank counts by the impressions beside it
report_rows as (

    select
        stat_date,
        day_basis,
        medium,
        report,
        case kind when 'search_term' then kind else 'keyword' end as searched_by,
        source_file,
        source_line,
        {% for column in ids %}
            coalesce(nullif({{ column }}, ''), '(not reported)') as {{ column }},
        {% endfor %}
        max(nullif(keyword_text, '')) as keyword_text,
        sum(case metric when 'impressions' then value else 0 end) as impressions,
        sum(case metric when 'clicks' then value else 0 end) as clicks,
        max(currency_native) as currency_native,
        sum(case metric when 'spend' then value else 0 end) as spend_native,
        max(vat_basis) as vat_basis,
        sum(case metric when 'spend' then spend_supply_krw else 0 end) as spend_supply_krw,
        sum(case metric when 'spend' then spend_gross_krw else 0 end) as spend_gross_krw,
        sum(case metric when 'conversions' then value else 0 end) as conversions,
        sum(case metric when 'conversion_value' then value_krw else 0 end) as conversion_value_krw,
        nullif(max(case metric when 'rank' then value end), 0) as average_rank,
        nullif(max(case metric when 'rank_sum' then value end), 0) as rank_sum,
        min(extracted_on) as extracted_on,
        max(load_id) as load_id
    from figures
    group by
        {% for column in ids %}
            coalesce(nullif({{ column }}, ''), '(not reported)'),
        {% endfor %}
        stat_date, day_basis, medium, report, kind, source_file, source_line

),

summed as (

    select
        stat_date,
        day_basis,
        medium,
        searched_by,
        {{ ids | join(', ') }},
        max(keyword_text) as keyword_text,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        max(currency_native) as currency_native,
        sum(spend_native) as spend_native,
        max(vat_basis) as vat_basis,
        sum(spend_supply_krw) as spend_supply_krw,
        sum(spend_gross_krw) as spend_gross_krw,
        sum(conversions) as conversions,
        sum(conversion_value_krw) as conversion_value_krw,
        sum(coalesce(rank_sum, average_rank * impressions)) as rank_sum,
        sum(
            case when rank_sum is not null or average_rank is not null then impressions end
        ) as ranked_impressions,
        min(extracted_on) as extracted_on,
        max(load_id) as load_id
    from report_rows
    group by stat_date, day_basis, medium, searched_by, {{ ids | join(', ') }}

),

final as (

    select
        stat_date,
        day_basis,
        medium,
        searched_by,
        {{ ids | join(', ') }},
        keyword_text,
        cast(impressions as {{ dbt.type_bigint() }}) as impressions,
        cast(clicks as {{ dbt.type_bigint() }}) as clicks,
        currency_native,
        cast(spend_native as {{ dbt.type_numeric() }}) as spend_native,
        vat_basis,
        cast(spend_supply_krw as {{ dbt.type_numeric() }}) as spend_supply_krw,
        cast(spend_gross_krw as {{ dbt.type_numeric() }}) as spend_gross_krw,
        cast(conversions as {{ dbt.type_numeric() }}) as conversions,
        cast(conversion_value_krw as {{ dbt.type_numeric() }}) as conversion_value_krw,
        {{ ratio('rank_sum', 'ranked_impressions') }} as average_rank,
        extracted_on,
        cast({{ dbt.datediff('stat_date', 'extracted_on', 'day') }} as {{ dbt.type_bigint() }})
            as age_days,
        load_id
    from summed

)

select * from final

-- Names that say sales and mean cost, a cost in millionths, clicks under other names: what the seed
-- makes of them must not change unseen.
{% set meanings = [
    ('naver_sa', 'campaigns', 'sales_amt', 'spend', '1'),
    ('naver_gfa', 'ads', 'sales', 'spend', '1'),
    ('naver_gfa', 'conversions', 'conv_sales', 'conversion_value', '1'),
    ('kakao_moment', 'ads', 'cost', 'spend', '1'),
    ('kakao_keyword', 'ads', 'spending', 'spend', '1'),
    ('google_ads', 'ads', 'cost_micros', 'spend', '0.000001'),
    ('pinterest', 'ads', 'spend_in_micro_dollar', 'spend', '0.000001'),
    ('apple', 'ads', 'taps', 'clicks', '1'),
    ('snapchat', 'ads', 'swipes', 'clicks', '1'),
] %}

with media_fields as (

    select * from {{ ref('media_fields') }}

),

meanings as (

    {% for medium, report, field, metric, factor in meanings %}
        select
            '{{ medium }}' as medium,
            '{{ report }}' as report,
            '{{ field }}' as field,
            '{{ metric }}' as metric,
            '{{ factor }}' as factor
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    meanings.medium,
    meanings.field,
    meanings.metric,
    media_fields.metric as metric_of_seed
from meanings
left join media_fields
    on meanings.medium = media_fields.medium
    and meanings.report = media_fields.report
    and meanings.field = media_fields.field
where media_fields.field is null
    or meanings.metric <> media_fields.metric
    or cast(meanings.factor as {{ dbt.type_numeric() }})
    <> cast(media_fields.factor as {{ dbt.type_numeric() }})

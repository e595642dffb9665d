-- Rows by load of every staging model, and how many of them reached the mart that takes them one by
-- one. `excluded` names the rows that a rule keeps out; the others must be found in the mart.
{% set straight = [
    'app_db.member_merges', 'app_db.hospitals', 'app_db.hospital_departments', 'app_db.devices',
    'app_db.prescription_diagnoses', 'app_db.dur_checks', 'app_db.reviews', 'app_db.event_products',
    'app_db.campaigns_internal', 'app_db.erasure_requests', 'app_events.events',
    'clinic_devices.heartbeats', 'clinic_devices.crashes', 'emr_links.ubcare_logs',
    'emr_links.bit_logs', 'emr_links.eghis_logs', 'payments_pg.settlements', 'hira.drug_prices',
    'hira_registry.hospitals', 'ads_naver_sa.campaigns', 'ads_kakao_moment.campaigns',
    'ads_google_ads.campaigns',
] %}
{% set one_for_one = {
    'app_db.members': ('dim_members', ['member_key'], ''),
    'app_db.doctors': ('dim_doctors', ['doctor_id'], ''),
    'app_db.bookings': ('fct_bookings', ['booking_id'], ''),
    'app_db.receptions': ('fct_receptions', ['reception_id'], ''),
    'app_db.tablet_sessions': ('fct_tablet_sessions', ['session_id'], ''),
    'app_db.prescriptions': ('fct_prescriptions', ['prescription_id'], ''),
    'app_db.prescription_items': ('fct_prescription_items', ['prescription_id', 'line_no'], ''),
    'app_db.event_leads': ('application', ['event_lead_id'], 'is_repeat'),
    'app_db.payments':
        ('payment', ['payment_id'], "coalesce(payment_status <> 'paid' or amount_krw <= 0, true)"),
    'flow_events.events': ('fct_flow_events', ['event_id'], 'is_repeat or not is_known_type'),
    'ads_naver_sa.ads': ('naver_sa', none, 'not is_latest'),
    'ads_kakao_moment.ads': ('kakao_moment', none, 'not is_latest'),
    'ads_google_ads.ads': ('google_ads', none, 'not is_latest'),
} %}
{% set ad_key = ['stat_date', 'account_id', 'campaign_id', 'ad_group_id', 'ad_id'] %}

with flow_event_types as (

    select * from {{ ref('flow_event_types') }}

),

-- knows which extraction is the newest of its day
ad_reports as (

    select * from {{ ref('int_marketing__ad_reports_unified') }}

),

conversions as (

    select * from {{ ref('fct_conversions') }}

),

ad_deliveries as (

    select * from {{ ref('fct_ad_delivery_daily') }}

),

counted as (

    {% for table in straight %}
        {% set source_name, table_name = table.split('.') %}
        select
            '{{ source_name }}' as source_name,
            '{{ table_name }}' as table_name,
            load_id,
            count(*) as staging_count,
            cast(null as {{ dbt.type_bigint() }}) as excluded_count,
            cast(null as {{ dbt.type_bigint() }}) as mart_count
        from {{ ref('stg_' ~ source_name ~ '__' ~ table_name) }}
        group by load_id
        union all
    {% endfor %}
    {% for table, (mart, key, rule) in one_for_one.items() %}
        {% set source_name, table_name = table.split('.') %}
        {% set excluded = 'staged.is_deleted' ~ (' or ' ~ rule if rule else '') %}
        select
            '{{ source_name }}' as source_name,
            '{{ table_name }}' as table_name,
            staged.load_id,
            count(*) as staging_count,
            sum(case when {{ excluded }} then 1 else 0 end) as excluded_count,
            sum(case when not ({{ excluded }}) and mart.is_there then 1 else 0 end) as mart_count
        from (
            {% if table == 'flow_events.events' %}
                select
                    events.*,
                    flow_event_types.event_type is not null as is_known_type
                from {{ ref('stg_flow_events__events') }} as events
                left join flow_event_types
                    on
                    events.entity = flow_event_types.entity
                    and events.event_type = flow_event_types.event_type
            {% elif key is none %}
                select *
                from ad_reports
                where medium = '{{ mart }}' and level = 'ad'
            {% else %}
                select * from {{ ref('stg_' ~ source_name ~ '__' ~ table_name) }}
            {% endif %}
        ) as staged
        left join (  -- noqa: ST05
            {% if key is none %}
                select {{ ad_key | join(', ') }}, true as is_there
                from ad_deliveries
                where medium = '{{ mart }}' and not is_remainder
            {% elif mart in ('application', 'payment') %}
                select
                    conversion_id,
                    true as is_there
                from conversions
            {% else %}
                select
                    {{ key | join(', ') }},
                    true as is_there
                from {{ ref(mart) }}
            {% endif %}
        ) as mart
            on
        {% if mart in ('application', 'payment') %}
            '{{ mart }}-' || cast(staged.{{ key[0] }} as {{ dbt.type_string() }})
            = mart.conversion_id
        {% else %}
        {% for column in key or ad_key %}
            staged.{{ column }} = mart.{{ column }}{{ ' and' if not loop.last }}
        {% endfor %}
        {% endif %}
        group by staged.load_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        source_name,
        table_name,
        load_id,
        cast(staging_count as {{ dbt.type_bigint() }}) as staging_count,
        cast(excluded_count as {{ dbt.type_bigint() }}) as excluded_count,
        cast(mart_count as {{ dbt.type_bigint() }}) as mart_count
    from counted

)

select * from final

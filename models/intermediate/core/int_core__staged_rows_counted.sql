-- Rows by load of every staging model, and how many of them reached the mart that takes them one by
-- one. `excluded` names the rows that a rule keeps out; the others must be found in the mart.
{% set straight = [
    'app_db.member_merges', 'app_db.hospitals', 'app_db.hospital_departments', 'app_db.devices',
    'app_db.prescription_diagnoses', 'app_db.dur_checks', 'app_db.reviews', 'app_db.event_products',
    'app_db.campaigns_internal', 'app_db.erasure_requests', 'app_events.events',
    'clinic_devices.heartbeats', 'clinic_devices.crashes', 'clinic_devices.screens',
    'emr_links.ubcare_logs', 'emr_links.bit_logs', 'emr_links.eghis_logs',
    'payments_pg.settlements', 'hira.drug_prices', 'hira.atc_codes', 'hira.drug_items',
    'mfds_dur.rules', 'hira_registry.hospitals',
    'hira_registry.details', 'fx_ecos.rates', 'marketing_plan.accounts',
    'marketing_plan.budgets',
] %}
{% set delivered = [] %}
{% for each in var('ad_reports') + var('ad_lists') %}
    {% set source_name = 'ads_' ~ ('drops' if each.medium == '*' else each.medium) %}
    {% if each.kind == 'delivery' %}
        {% do delivered.append((source_name, each.report, each)) %}
    {% else %}
        {% do straight.append(source_name ~ '.' ~ (each.report or each.list)) %}
    {% endif %}
{% endfor %}
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
    'event_logs.events': ('fct_flow_events', ['event_id'], 'is_repeat or not is_step'),
} %}
{# the finest number of an ad's report finds its row in the mart #}
{% set ad_key = ['account_id', 'campaign_id', 'ad_group_id', 'ad_id'] %}

with flow_event_types as (

    select * from {{ ref('flow_event_types') }}

),

-- which extraction is the newest of a day
newest_extractions as (

    select * from {{ ref('int_marketing__ad_newest_extractions') }}

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
            {% else %}
                select * from {{ ref('stg_' ~ source_name ~ '__' ~ table_name) }}
            {% endif %}
        ) as staged
        left join (  -- noqa: ST05
            {% if mart in ('application', 'payment') %}
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
        {% for column in key %}
            staged.{{ column }} = mart.{{ column }}{{ ' and' if not loop.last }}
        {% endfor %}
        {% endif %}
        group by staged.load_id
        union all
    {% endfor %}
    {% for source_name, report, each in delivered %}
        {% set medium = 'reports.medium' if each.medium == '*' else "'" ~ each.medium ~ "'" %}
        {% set excluded = 'reports.is_deleted or reports.stat_date is null'
            ~ ' or newest_extractions.medium is null' %}
        select
            '{{ source_name }}' as source_name,
            '{{ report }}' as table_name,
            reports.load_id,
            count(*) as staging_count,
            sum(case when {{ excluded }} then 1 else 0 end) as excluded_count,
            sum(
                case
                    when not ({{ excluded }}) and ad_deliveries.medium is not null then 1
                    else 0
                end
            ) as mart_count
        from {{ ref('stg_' ~ source_name ~ '__' ~ report) }} as reports
        left join newest_extractions
            on newest_extractions.medium = {{ medium }}
            and newest_extractions.report = '{{ report }}'
            and coalesce(newest_extractions.account_id, '') = coalesce(reports.account_id, '')
            and newest_extractions.stat_date = reports.stat_date
            and newest_extractions.reported_date = reports.
            {{- 'reported_date' if 'reported_date' in each.columns else 'stat_date' }}
            and newest_extractions.extracted_on = reports.extracted_on
            and newest_extractions.window_from = reports.window_from
            and newest_extractions.window_to = reports.window_to
            and newest_extractions.source_file = reports.source_file
        left join ad_deliveries
            on ad_deliveries.medium = {{ medium }}
            and ad_deliveries.stat_date = reports.stat_date
            {% for column in ad_key if column == 'account_id' or column in each.columns %}
                and ad_deliveries.{{ column }}
                = coalesce(nullif(reports.{{ column }}, ''), '(not reported)')
            {% endfor %}
        group by reports.load_id
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

{# table, column as the source names it, our column, seed, and the instant that says the day #}
{% set fields = [
    ('app_db.bookings', 'department_cd', 'department_code', 'departments', 'created_at'),
    ('app_db.bookings', 'status', 'lower(trim(source_status))', 'booking_statuses', 'created_at'),
    ('app_db.doctors', 'specialty_cd', 'specialty_spelling', 'departments', 'created_at'),
    ('app_db.dur_checks', 'kind', 'dur_category', 'dur_categories', 'checked_at'),
    ('app_db.event_products', 'category', 'category', 'event_categories', 'created_at'),
    ('app_db.hospitals', 'cl_cd', 'institution_type_code', 'institution_types', 'created_at'),
    ('app_db.hospitals', 'emr_vendor', 'emr_vendor_spelling', 'emr_vendor_spellings', 'created_at'),
    ('app_db.hospitals', 'sggu_cd', 'sggu_code', 'sggus', 'created_at'),
    (
        'app_db.prescriptions', 'insurance_type_cd', 'insurance_type_code', 'insurance_types',
        'created_at',
    ),
    ('app_db.receptions', 'department_cd', 'department_code', 'departments', 'created_at'),
    (
        'app_db.receptions', 'status', 'lower(trim(source_status))', 'reception_statuses',
        'created_at',
    ),
    ('emr_links.bit_logs', 'vendor', 'lower(source_vendor)', 'emr_vendor_spellings', 'started_at'),
    (
        'emr_links.eghis_logs', 'vendor', 'lower(source_vendor)', 'emr_vendor_spellings',
        'started_at',
    ),
    (
        'emr_links.ubcare_logs', 'vendor', 'lower(source_vendor)', 'emr_vendor_spellings',
        'started_at',
    ),
    (
        'flow_events.events', 'event_type', "concat(entity, ': ', event_type)", 'flow_event_types',
        'occurred_at',
    ),
    (
        'hira.drug_prices', 'efficacy_class_code', 'efficacy_class_code', 'drug_efficacy_classes',
        'cast(price_month as timestamp)',
    ),
    (
        'hira.drug_prices', 'ingredient_code', "nullif(substring(ingredient_code, 7, 1), '')",
        'drug_routes', 'cast(price_month as timestamp)',
    ),
    (
        'hira.drug_prices', 'ingredient_code', "nullif(substring(ingredient_code, 8, 2), '')",
        'drug_forms', 'cast(price_month as timestamp)',
    ),
] %}

with final as (

    {% for table, column, value, seed, instant in fields %}
        {% set source_name, table_name = table.split('.') %}
        select
            '{{ source_name }}' as source_name,
            '{{ table_name }}' as table_name,
            '{{ column }}' as column_name,
            '{{ seed }}' as seed_name,
            {{ value }} as coded_value,
            {{ instant }} as coded_at,
            {{ kst_date(instant) }} as coded_date,
            is_deleted,
            load_id
        from {{ ref('stg_' ~ source_name ~ '__' ~ table_name) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from final

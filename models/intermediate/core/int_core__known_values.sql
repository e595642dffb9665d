{# one vocabulary may have names beside its codes #}
{% set seeds = [
    ('booking_statuses', 'booking_statuses', 'source_status'),
    ('departments', 'departments', 'department_code'),
    ('departments', 'department_spellings', 'department_spelling'),
    ('drug_efficacy_classes', 'drug_efficacy_classes', 'efficacy_class_code'),
    ('drug_forms', 'drug_forms', 'form_code'),
    ('drug_routes', 'drug_routes', 'route_code'),
    ('dur_categories', 'dur_categories', 'dur_category'),
    ('emr_vendor_spellings', 'emr_vendor_spellings', 'spelling'),
    ('event_categories', 'event_categories', 'category'),
    ('flow_event_types', 'flow_event_types', "concat(entity, ': ', event_type)"),
    ('institution_types', 'institution_types', 'institution_type_code'),
    ('insurance_types', 'insurance_types', 'insurance_type_code'),
    ('reception_statuses', 'reception_statuses', 'source_status'),
    ('sggus', 'sggus', 'sggu_code'),
] %}

with seed_values as (

    {% for name, seed, value in seeds %}
        select
            '{{ name }}' as seed_name,
            {{ value }} as known_value
        from {{ ref(seed) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- a code that was renamed has a row for each of its times
final as (

    select
        seed_name,
        known_value
    from seed_values
    group by seed_name, known_value

)

select * from final

{{ config(materialized='table') }}
-- The numbers of the recommendations in one place. What else changes a list changes the version.
{% set rules = {
    'window_days': 90, 'half_life_days': 30, 'view_weight': 1, 'application_weight': 5,
    'booking_weight': 10, 'visit_weight': 20, 'weight_cap': 20, 'shrinkage': 10,
    'most_items_of_a_person': 100, 'least_people_of_an_item': 5, 'least_people_of_a_pair': 20,
    'most_pairs_of_an_item': 50, 'recent_items': 20, 'list_length': 20, 'back_off_length': 40,
    'adult_years': 20,
} %}
{% set numbers = "'" ~ rules.items() | map('join', ' ') | join(', ') ~ "'" %}

with interest_days as (

    select max(interest_date) as as_of_date from {{ ref('int_marketing__item_interest_days') }}

),

final as (

    select
        as_of_date,
        {{ add_days('as_of_date', 1 - rules['window_days']) }} as since_date,
        {% for name, value in rules.items() %}
            {{ value }} as {{ name }},
        {% endfor %}
        '1.0.0-' || substring({{ dbt.hash(numbers) }}, 1, 8) as model_version
    from interest_days

)

select * from final

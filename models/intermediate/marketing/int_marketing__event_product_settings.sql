{% set names = [
    'wilson_z', 'stars_prior_count', 'review_half_life_days', 'review_unverified_weight',
    'review_no_photo_weight', 'product_window_days', 'product_demand_half_life_days',
    'product_demand_per_view', 'product_demand_per_application', 'product_demand_per_booking',
    'product_conversion_weight', 'product_stars_weight', 'product_demand_weight',
    'product_margin_weight',
] %}
with settings as (

    select * from {{ ref('ranking_settings') }}

),

final as (

    select
        'all' as applies_to,
    {% for name in names %}
        max(
            case setting when '{{ name }}' then cast(value as {{ dbt.type_numeric() }}) end
        ) as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
    from settings

)

select * from final

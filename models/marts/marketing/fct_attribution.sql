{{ replaces_days(
    'created_date', changes='int_marketing__attribution_changes',
    looked_up_by=['attribution_model', 'channel', 'campaign', 'conversion_id'],
) }}
-- Grain: one row is a touch on the path to a conversion under an attribution model.

{# Weights within a path, in any unit: a touch's credit is its part of their sum. #}
{% set weights = {
    'first': 'case when touch_number <= 1 then 1 else 0 end',
    'last': 'case when touch_number = touch_count then 1 else 0 end',
    'last_non_direct':
        'case when touch_number = coalesce(last_non_direct_number, touch_count) then 1 else 0 end',
    'linear': '1',
    'position':
        'case when touch_count <= 2 then 1 when touch_number in (1, touch_count)'
        ' then 2 * (touch_count - 2) else 1 end',
    'time_decay': 'coalesce(1000000 * exp(-ln(2) * seconds_before / 604800), 1)',
    'channel_equal': 'equal_weight',
    'shapley': 'case when path_shapley > 0 then ' ~ ratio('channel_shapley', 'channel_touch_count')
        ~ ' else equal_weight end',
    'markov': 'case when path_markov > 0 then '
        ~ ratio('channel_markov * 1000000', 'channel_touch_count') ~ ' else equal_weight end',
} %}

with paths as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'created_date') }} as date) as month_start_date
    from {{ ref('fct_attribution_paths') }}
    where {{ in_days_to_replace('created_date') }}

),

shapley as (

    select *
    from {{ ref('fct_attribution_shapley_monthly') }}
    where {{ since_days_to_replace('month_start_date', days_before=31) }}

),

markov as (

    select *
    from {{ ref('fct_attribution_markov_monthly') }}
    where {{ since_days_to_replace('month_start_date', days_before=31) }}

),

valued as (

    select
        paths.*,
        greatest(coalesce(shapley.value_per_million, 0), 0) as channel_shapley,
        coalesce(markov.removal_effect, 0) as channel_markov,
        greatest(coalesce(shapley.load_id, 0), coalesce(markov.load_id, 0)) as channel_load_id
    from paths
    left join shapley
        on paths.month_start_date = shapley.month_start_date
        and paths.conversion_type = shapley.conversion_type
        and paths.channel = shapley.channel
    left join markov
        on paths.month_start_date = markov.month_start_date
        and paths.conversion_type = markov.conversion_type
        and paths.channel = markov.channel

),

summed as (

    select
        *,
        coalesce({{ ratio(1000000, 'channel_touch_count') }}, 1) as equal_weight,
        max(case when channel <> 'direct' then touch_number end) over (partition by conversion_id)
            as last_non_direct_number,
        sum(channel_shapley) over (partition by conversion_id) as path_shapley,
        sum(channel_markov) over (partition by conversion_id) as path_markov,
        max(greatest(load_id, channel_load_id)) over (partition by conversion_id) as path_load_id
    from valued

),

weighed as (

    select
        {% for model, weight in weights.items() %}
            cast({{ weight }} as {{ dbt.type_numeric() }}) as {{ model }}_weight,
        {% endfor %}
        *
    from summed

),

running as (

    select
        {% for model in weights %}
            sum({{ model }}_weight) over (
                partition by conversion_id
                order by touch_number nulls last rows unbounded preceding
            ) as {{ model }}_running,
            sum({{ model }}_weight) over (partition by conversion_id) as {{ model }}_sum,
        {% endfor %}
        *
    from weighed

),

-- by the difference of what is rounded, so that credits add up to 1 and none is negative
credited as (

    select
        {% for model in weights %}
            {{ ratio(model ~ '_running', model ~ '_sum') }}
            - {{ ratio(model ~ '_running - ' ~ model ~ '_weight', model ~ '_sum') }}
                as {{ model }}_credit,
        {% endfor %}
        *
    from running

),

attribution_models as (

    {% for model in weights %}
        select '{{ model }}' as attribution_model
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

by_model as (

    select
        credited.*,
        attribution_models.attribution_model,
        case attribution_models.attribution_model
            {% for model in weights %}
                when '{{ model }}' then credited.{{ model }}_credit
            {% endfor %}
        end as credit
    from credited
    cross join attribution_models

),

final as (

    select
        conversion_id,
        touch_id,
        attribution_model,
        conversion_type,
        created_date,

        touched_at,
        {{ ratio('seconds_before', 3600) }} as hours_before,
        touch_number,
        touch_count,

        channel,
        medium,
        campaign,

        cast(credit as {{ dbt.type_numeric() }}) as credit,
        cast(credit * value_krw as {{ dbt.type_numeric() }}) as credit_value_krw,
        path_load_id as load_id
    from by_model

)

select * from final

{{ replaces_days(
    'cohort_date', changes='int_marketing__funnel_changes',
    looked_up_by=['funnel', 'segment_type', 'segment'],
) }}
-- Grain: one row is a step of a funnel for a segment of those who entered it on a day.

with attempt_steps as (

    select *
    from {{ ref('int_marketing__funnel_attempt_steps') }}
    where {{ in_days_to_replace('cohort_date') }}

),

steps as (

    select
        funnel,
        funnel_label_ko,
        step_number,
        step_name,
        step_label_ko
    from {{ ref('int_marketing__funnel_declarations') }}
    group by funnel, funnel_label_ko, step_number, step_name, step_label_ko

),

cuts as (

    {% for funnel in var('funnels') %}
        {% for segment_type in ['all'] + funnel.segments %}
            select
                '{{ funnel.name }}' as funnel,
                '{{ segment_type }}' as segment_type
            {{ 'union all' if not loop.last }}
        {% endfor %}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

segmented as (

    select
        attempt_steps.*,
        cuts.segment_type,
        case cuts.segment_type
            when 'all' then 'all'
            when 'platform' then coalesce(attempt_steps.platform, '(none)')
            when 'app_version' then coalesce(attempt_steps.app_version, '(none)')
            when 'utm_source' then coalesce(attempt_steps.utm_source, '(none)')
            when 'exit_screen' then coalesce(attempt_steps.exit_screen, '(none)')
        end as segment
    from attempt_steps
    -- a row for each segment that the funnel is cut by
    inner join cuts on attempt_steps.funnel = cuts.funnel

),

placed as (

    select
        *,
        row_number() over (
            partition by cohort_date, funnel, segment_type, segment, step_number
            order by seconds_to_step asc nulls last, person_key asc, item_key asc
        ) as place,
        count(*) over (
            partition by cohort_date, funnel, segment_type, segment, step_number
        ) as reached_count
    from segmented

),

-- the median is the least number of seconds that half of them didn't exceed
reached as (

    select
        cohort_date,
        funnel,
        segment_type,
        segment,
        step_number,
        max(reached_count) as reached_count,
        min(case when place * 2 >= reached_count then seconds_to_step end)
            as median_seconds_to_step,
        max(load_id) as load_id
    from placed
    group by cohort_date, funnel, segment_type, segment, step_number

),

-- steps that nobody reached stand with 0
stepped as (

    select
        entered.cohort_date,
        entered.funnel,
        steps.funnel_label_ko,
        entered.segment_type,
        entered.segment,
        steps.step_number,
        steps.step_name,
        steps.step_label_ko,
        entered.reached_count as entered_count,
        coalesce(reached.reached_count, 0) as reached_count,
        reached.median_seconds_to_step,
        entered.load_id
    from reached as entered
    inner join steps on entered.funnel = steps.funnel
    left join reached
        on entered.cohort_date = reached.cohort_date
        and entered.funnel = reached.funnel
        and entered.segment_type = reached.segment_type
        and entered.segment = reached.segment
        and steps.step_number = reached.step_number
    where entered.step_number = 1

),

followed as (

    select
        *,
        coalesce(
            lag(reached_count) over (
                partition by cohort_date, funnel, segment_type, segment
                order by step_number nulls last
            ), entered_count
        ) as asked_count
    from stepped

),

-- Wilson's interval at z = 1.96; all but the root are decimals, which engines round alike, and the
-- root is a float on each of them
varied as (

    select
        *,
        cast('1.96' as numeric(3, 2)) * exp(0) as z,
        cast('3.8416' as {{ dbt.type_numeric() }}) as z_squared,
        {{ ratio('4 * reached_count * (entered_count - reached_count)', 'entered_count') }}
            as variance,
        {{ ratio('4 * reached_count * (asked_count - reached_count)', 'asked_count') }}
            as step_variance
    from followed

),

spreads as (

    select
        *,
        cast(z * sqrt((z_squared + variance) * exp(0)) as {{ dbt.type_numeric() }}) as spread,
        cast(z * sqrt((z_squared + step_variance) * exp(0)) as {{ dbt.type_numeric() }})
            as step_spread
    from varied

),

final as (

    select
        cohort_date,
        funnel,
        funnel_label_ko,
        segment_type,
        segment,
        step_number,
        step_name,
        step_label_ko,
        cast(entered_count as {{ dbt.type_bigint() }}) as entered_count,
        cast(reached_count as {{ dbt.type_bigint() }}) as reached_count,
        {{ ratio('reached_count', 'asked_count') }} as step_rate,
        {{ ratio('reached_count', 'entered_count') }} as overall_rate,
        {{ ratio(
            '2 * reached_count + z_squared - spread', '2 * (entered_count + z_squared)'
        ) }} as wilson_low,
        {{ ratio(
            '2 * reached_count + z_squared + spread', '2 * (entered_count + z_squared)'
        ) }} as wilson_high,
        {{ ratio(
            '2 * reached_count + z_squared - step_spread', '2 * (asked_count + z_squared)'
        ) }} as step_wilson_low,
        {{ ratio(
            '2 * reached_count + z_squared + step_spread', '2 * (asked_count + z_squared)'
        ) }} as step_wilson_high,
        cast(median_seconds_to_step as {{ dbt.type_bigint() }}) as median_seconds_to_step,
        load_id
    from spreads

)

select * from final

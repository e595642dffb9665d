{{ replaces_days(
    'cohort_date', changes='int_marketing__funnel_changes', looked_up_by=['funnel', 'person_key'],
) }}
-- Grain: one row is a step that somebody's furthest attempt of a closed day reached.
{% set most_steps = var('funnels') | map(attribute='steps') | map('length') | max %}
{% set attempt = [
    'funnel', 'window_hours', 'person_key', 'item_key', 'event_key', 'occurred_at',
    'platform', 'app_version', 'utm_source',
] %}

with step_events as (

    select *
    from {{ ref('int_marketing__funnel_step_events') }}
    where {{ since_days_to_replace('event_date', days_before=7) }}

),

steps as (

    select
        funnel,
        step_number,
        max(step_number) over (partition by funnel) as step_count
    from {{ ref('int_marketing__funnel_declarations') }}
    group by funnel, step_number

),

closed_days as (

    select
        funnel,
        cohort_date,
        max(load_id) as load_id
    from {{ ref('int_marketing__funnel_changes') }}
    where {{ in_days_to_replace('cohort_date') }}
    group by funnel, cohort_date

),

-- From the last step to the first: when an event of a step is followed by the next step, and that
-- by the next but one. The first that follows is the best of all, since what comes after it is
-- never later than what comes after another. At one instant later steps stand first: none follows.
{% for step in range(most_steps, 0, -1) %}
    of_step_{{ step }} as (

        select
            {{ attempt | join(', ') }},
            {% for later in range(step + 1, most_steps + 1) %}
                cast(null as {{ dbt.type_timestamp() }}) as step_{{ later }}_at,
            {% endfor %}
            step_number
        from step_events
        where step_number = {{ step }}
        {% if step < most_steps %}
            union all
            select *
            from from_step_{{ step + 1 }}
            where step_number = {{ step + 1 }}
        {% endif %}

    ),

    from_step_{{ step }} as (

        select
            {{ attempt | join(', ') }},
            occurred_at as step_{{ step }}_at,
            {% for later in range(step + 1, most_steps + 1) %}
                min(step_{{ later }}_at) over what_follows as step_{{ later }}_at,
            {% endfor %}
            step_number
        from of_step_{{ step }}
        window what_follows as (
            partition by funnel, person_key, item_key
            order by occurred_at desc nulls last, step_number asc, event_key asc
            rows between unbounded preceding and 1 preceding
        )

    ),

{% endfor %}

attempts as (

    select
        *,
        {{ kst_date('occurred_at') }} as cohort_date,
        case
            {% for step in range(most_steps, 1, -1) %}
                when
                    {{ seconds_between('occurred_at', 'step_' ~ step ~ '_at') }}
                    <= window_hours * 3600
                    then {{ step }}
            {% endfor %}
            else 1
        end as last_step
    from from_step_1
    where step_number = 1
        and {{ in_days_to_replace(kst_date('occurred_at')) }}

),

-- of equal attempts the earliest
ranked as (

    select
        *,
        row_number() over (
            partition by funnel, person_key, item_key, cohort_date
            order by last_step desc nulls last, occurred_at asc, event_key asc
        ) as place
    from attempts

),

reached as (

    select
        ranked.cohort_date,
        ranked.funnel,
        ranked.person_key,
        ranked.item_key,
        ranked.platform,
        ranked.app_version,
        ranked.utm_source,
        ranked.last_step,
        ranked.last_step = steps.step_count as is_completed,
        steps.step_number,
        closed_days.load_id,
        case steps.step_number
            {% for step in range(1, most_steps + 1) %}
                when {{ step }} then ranked.step_{{ step }}_at
            {% endfor %}
        end as reached_at,
        case steps.step_number
            {% for step in range(2, most_steps + 1) %}
                when {{ step }} then ranked.step_{{ step - 1 }}_at
            {% endfor %}
        end as asked_at
    from ranked
    inner join closed_days
        on ranked.funnel = closed_days.funnel
        and ranked.cohort_date = closed_days.cohort_date
    inner join steps
        on ranked.funnel = steps.funnel
        and ranked.last_step >= steps.step_number
    where ranked.place = 1

),

-- the screen of the last step of those who gave up
exits as (

    select
        reached.cohort_date,
        reached.funnel,
        reached.person_key,
        reached.item_key,
        min(step_events.screen) as exit_screen
    from reached
    inner join step_events
        on reached.funnel = step_events.funnel
        and reached.person_key = step_events.person_key
        and reached.item_key = step_events.item_key
        and reached.step_number = step_events.step_number
        and reached.reached_at = step_events.occurred_at
    where not reached.is_completed and reached.step_number = reached.last_step
    group by reached.cohort_date, reached.funnel, reached.person_key, reached.item_key

),

final as (

    select
        reached.cohort_date,
        reached.funnel,
        reached.person_key,
        reached.item_key,
        cast(reached.step_number as {{ dbt.type_bigint() }}) as step_number,
        reached.reached_at,
        {{ seconds_between('reached.asked_at', 'reached.reached_at') }} as seconds_to_step,
        reached.platform,
        reached.app_version,
        reached.utm_source,
        case when reached.is_completed then '(completed)' else exits.exit_screen end as exit_screen,
        reached.load_id
    from reached
    left join exits
        on reached.cohort_date = exits.cohort_date
        and reached.funnel = exits.funnel
        and reached.person_key = exits.person_key
        and reached.item_key = exits.item_key

)

select * from final

{{ replaces_days(
    'month_start_date', changes='int_marketing__attribution_month_changes',
    looked_up_by=['conversion_type', 'channel'],
) }}
-- Grain: one row is a channel in a month and for a conversion type, with its removal effect: the
-- share of conversions that a first-order Markov chain of the paths loses without the channel.

with counted as (

    select
        month_start_date,
        conversion_type,
        from_channel,
        to_channel,
        sum(step_count) as step_count,
        max(load_id) as load_id
    from {{ ref('fct_attribution_steps_monthly') }}
    where {{ in_days_to_replace('month_start_date') }}
    group by month_start_date, conversion_type, from_channel, to_channel

),

-- a whole number times exp(0) is a 64-bit float on each engine, which `float` isn't on DuckDB
chances as (

    select
        month_start_date,
        conversion_type,
        from_channel,
        to_channel,
        exp(0) * step_count / sum(step_count) over (
            partition by month_start_date, conversion_type, from_channel
        ) as chance
    from counted

),

channels as (

    select
        month_start_date,
        conversion_type,
        to_channel as channel,
        row_number() over (
            partition by month_start_date, conversion_type order by to_channel nulls last
        ) as place,
        max(max(load_id)) over (partition by month_start_date, conversion_type) as load_id
    from counted
    where to_channel not in ('(conversion)', '(null)')
    group by month_start_date, conversion_type, to_channel

),

-- place 0: where paths start, and where they convert
places as (

    select
        month_start_date,
        conversion_type,
        channel as from_channel,
        channel as to_channel,
        place
    from channels
    union all
    select
        month_start_date,
        conversion_type,
        '(start)' as from_channel,
        '(conversion)' as to_channel,
        0 as place
    from channels
    where place = 1

),

-- the unit matrix less the chances of a step
matrix_0 as (

    select
        sources.month_start_date,
        sources.conversion_type,
        sources.place as source,
        targets.place as target,
        case when sources.place = targets.place and sources.place > 0 then 1 else 0 end
        - coalesce(chances.chance, 0 * exp(0)) as cell
    from places as sources
    inner join places as targets
        on sources.month_start_date = targets.month_start_date
        and sources.conversion_type = targets.conversion_type
    left join chances
        on sources.month_start_date = chances.month_start_date
        and sources.conversion_type = chances.conversion_type
        and sources.from_channel = chances.from_channel
        and targets.to_channel = chances.to_channel

),

-- Its inverse, a channel at a time (Gauss-Jordan): exact, where iterating would leave a rest. What
-- place 0 holds in the end follows from the inverse: the row tells how often a path visits each
-- channel; the column, below 0, the chance of converting from each, and the corner from the start.
{% for place in range(1, 11) %}
    pivots_{{ place }} as (

        select
            *,
            max(case when target = {{ place }} then cell end) over (
                partition by month_start_date, conversion_type, source
            ) as row_cell,
            max(case when source = {{ place }} then cell end) over (
                partition by month_start_date, conversion_type, target
            ) as column_cell,
            max(case when source = {{ place }} and target = {{ place }} then cell end) over (
                partition by month_start_date, conversion_type
            ) as pivot_cell
        from matrix_{{ place - 1 }}

    ),

    matrix_{{ place }} as (

        select
            month_start_date,
            conversion_type,
            source,
            target,
            case
                when pivot_cell is null then cell
                when source = {{ place }} and target = {{ place }} then 1 / pivot_cell
                when source = {{ place }} then cell / pivot_cell
                when target = {{ place }} then -cell / pivot_cell
                else cell - row_cell * column_cell / pivot_cell
            end as cell
        from pivots_{{ place }}

    ),
{% endfor %}

-- who visits a channel ever converts from its first visit on, or doesn't
rates as (

    select
        channels.month_start_date,
        channels.conversion_type,
        channels.channel,
        channels.load_id,
        -max(case when cells.source = 0 and cells.target = 0 then cells.cell end) as whole_chance,
        -max(case when cells.source = 0 and cells.target > 0 then cells.cell end)
        / max(case when cells.source > 0 and cells.target > 0 then cells.cell end)
        * max(case when cells.source > 0 and cells.target = 0 then cells.cell end) as lost_chance
    from channels
    inner join matrix_10 as cells
        on channels.month_start_date = cells.month_start_date
        and channels.conversion_type = cells.conversion_type
        and cells.source in (0, channels.place)
        and cells.target in (0, channels.place)
    group by
        channels.month_start_date, channels.conversion_type, channels.channel, channels.load_id

),

-- twelve decimals first: a float just below a half is then the half that it means
decimals as (

    select
        month_start_date,
        conversion_type,
        channel,
        load_id,
        cast(1000000 * whole_chance as {{ dbt.type_numeric() }}) as whole_per_million,
        cast(1000000 * (whole_chance - lost_chance) as {{ dbt.type_numeric() }}) as per_million,
        cast(
            case
                when whole_chance > 0 then 1000000 * lost_chance / whole_chance else 0 * exp(0)
            end as {{ dbt.type_numeric() }}
        ) as effect_per_million
    from rates

),

final as (

    select
        month_start_date,
        conversion_type,
        channel,
        {{ ratio('whole_per_million', 1000000) }} as conversion_rate,
        {{ ratio('per_million', 1000000) }} as conversion_rate_without,
        {{ ratio('effect_per_million', 1000000) }} as removal_effect,
        load_id
    from decimals

)

select * from final

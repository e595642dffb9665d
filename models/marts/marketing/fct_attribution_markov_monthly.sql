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

-- place 0: where paths start, where they convert, and the chain that lacks no channel
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

-- each pair of places, once for each chain; what leads to the removed channel is lost
removal_0 as (

    select
        sources.month_start_date,
        sources.conversion_type,
        removals.place as removed,
        sources.place as source,
        targets.place as target,
        case
            when removals.place > 0 and removals.place = targets.place then 0 * exp(0)
            else coalesce(chances.chance, 0 * exp(0))
        end as chance
    from places as sources
    inner join places as targets
        on sources.month_start_date = targets.month_start_date
        and sources.conversion_type = targets.conversion_type
    inner join places as removals
        on sources.month_start_date = removals.month_start_date
        and sources.conversion_type = removals.conversion_type
    left join chances
        on sources.month_start_date = chances.month_start_date
        and sources.conversion_type = chances.conversion_type
        and sources.from_channel = chances.from_channel
        and targets.to_channel = chances.to_channel

),

-- ways through a channel become direct ones, any number of returns to it included: after the last
-- channel, the chance from start to conversion is left, exactly and without iterating
{% for place in range(1, 11) %}
    removal_{{ place }} as (

        select
            month_start_date,
            conversion_type,
            removed,
            source,
            target,
            chance + coalesce(
                max(case when target = {{ place }} then chance end) over (
                    partition by month_start_date, conversion_type, removed, source
                ) * max(case when source = {{ place }} then chance end) over (
                    partition by month_start_date, conversion_type, removed, target
                ) / (
                    1 - max(
                        case when source = {{ place }} and target = {{ place }} then chance end
                    ) over (partition by month_start_date, conversion_type, removed)
                ), 0
            ) as chance
        from removal_{{ place - 1 }}

    ),
{% endfor %}

rates as (

    select
        month_start_date,
        conversion_type,
        removed,
        chance,
        max(case when removed = 0 then chance end) over (
            partition by month_start_date, conversion_type
        ) as whole_chance
    from removal_10
    where source = 0
        and target = 0

),

-- twelve decimals first: a float just below a half is then the half that it means
decimals as (

    select
        month_start_date,
        conversion_type,
        removed,
        cast(whole_chance * 1000000 as {{ dbt.type_numeric() }}) as whole_per_million,
        cast(chance * 1000000 as {{ dbt.type_numeric() }}) as per_million,
        cast(
            case
                when chance < whole_chance then 1000000 - 1000000 * (chance / whole_chance)
                else 0 * exp(0)
            end as {{ dbt.type_numeric() }}
        ) as effect_per_million
    from rates

),

final as (

    select
        channels.month_start_date,
        channels.conversion_type,
        channels.channel,
        {{ ratio('decimals.whole_per_million', 1000000) }} as conversion_rate,
        {{ ratio('decimals.per_million', 1000000) }} as conversion_rate_without,
        {{ ratio('decimals.effect_per_million', 1000000) }} as removal_effect,
        channels.load_id
    from channels
    inner join decimals
        on channels.month_start_date = decimals.month_start_date
        and channels.conversion_type = decimals.conversion_type
        and channels.place = decimals.removed

)

select * from final

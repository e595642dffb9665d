{{ replaces_days(
    'month_start_date', changes='int_marketing__attribution_month_changes',
    looked_up_by=['conversion_type'],
) }}
-- Grain: one row is a step from one channel to the next, on a month's paths for a conversion type
-- that touch one set of channels.

with conversions as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'created_date') }} as date) as month_start_date
    from {{ ref('fct_attribution_paths') }}
    where {{ in_days_to_replace('created_date', days_after=30) }}

),

touchpoints as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'touch_date') }} as date) as month_start_date
    from {{ ref('fct_touchpoints') }}
    where {{ in_days_to_replace('touch_date', days_after=30) }}

),

months as (

    select
        month_start_date,
        conversion_type,
        max(load_id) as load_id
    from conversions
    where {{ in_days_to_replace('month_start_date') }}
    group by month_start_date, conversion_type

),

converters as (

    select
        month_start_date,
        conversion_type,
        member_key
    from conversions
    where member_key is not null
    group by month_start_date, conversion_type, member_key

),

-- the path of a conversion, and of each person all touches of the month
path_touches as (

    select
        month_start_date,
        conversion_type,
        conversion_id as path_id,
        touched_at,
        touch_id,
        channel,
        load_id
    from conversions
    where touch_id <> '(none)'
        and {{ in_days_to_replace('month_start_date') }}
    union all
    select
        month_start_date,
        '(none)' as conversion_type,
        person_key as path_id,
        touched_at,
        touch_id,
        channel,
        load_id
    from touchpoints
    where {{ in_days_to_replace('month_start_date') }}

),

path_channels as (

    select
        month_start_date,
        conversion_type,
        path_id,
        channel
    from path_touches
    group by month_start_date, conversion_type, path_id, channel

),

path_sets as (

    select
        month_start_date,
        conversion_type,
        path_id,
        {{ dbt.listagg('channel', "'+'", 'order by channel') }} as channel_set
    from path_channels
    group by month_start_date, conversion_type, path_id

),

neighbours as (

    select
        *,
        coalesce(
            lag(channel) over (
                partition by month_start_date, conversion_type, path_id
                order by touched_at nulls last, touch_id
            ), '(start)'
        ) as channel_before,
        lead(channel) over (
            partition by month_start_date, conversion_type, path_id
            order by touched_at nulls last, touch_id
        ) as channel_after
    from path_touches

),

-- staying with a channel is no step: no chance of getting anywhere depends on it
steps as (

    select
        month_start_date,
        conversion_type,
        path_id,
        channel_before as from_channel,
        channel as to_channel,
        load_id
    from neighbours
    where channel_before <> channel
    union all
    select
        month_start_date,
        conversion_type,
        path_id,
        channel as from_channel,
        case when conversion_type = '(none)' then '(null)' else '(conversion)' end as to_channel,
        load_id
    from neighbours
    where channel_after is null

),

-- who reached one type in the month may still not have reached another
final as (

    select
        steps.month_start_date,
        months.conversion_type,
        path_sets.channel_set,
        steps.from_channel,
        steps.to_channel,
        cast(count(*) as {{ dbt.type_bigint() }}) as step_count,
        greatest(max(steps.load_id), max(months.load_id)) as load_id
    from steps
    inner join path_sets
        on steps.month_start_date = path_sets.month_start_date
        and steps.conversion_type = path_sets.conversion_type
        and steps.path_id = path_sets.path_id
    inner join months
        on steps.month_start_date = months.month_start_date
        and (steps.conversion_type = '(none)' or steps.conversion_type = months.conversion_type)
    left join converters
        on steps.path_id = converters.member_key
        and steps.month_start_date = converters.month_start_date
        and months.conversion_type = converters.conversion_type
        and steps.conversion_type = '(none)'
    where converters.member_key is null
    group by
        steps.month_start_date,
        months.conversion_type,
        path_sets.channel_set,
        steps.from_channel,
        steps.to_channel

)

select * from final

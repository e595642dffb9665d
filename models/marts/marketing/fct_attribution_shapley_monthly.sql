{{ replaces_days(
    'month_start_date', changes='int_marketing__attribution_month_changes',
    looked_up_by=['conversion_type', 'channel'],
) }}
-- Grain: one row is a channel in a month and for a conversion type, with its Shapley value: what it
-- adds to coalitions of channels, whose worth is the share that converts of the paths inside them.

{# size! (9 - size)! / 10! in parts of 2520; a channel that a month lacks changes nobody's value #}
{% set share -%}
    case channel_count
    {% for each in [252, 28, 7, 3, 2, 2, 3, 7, 28, 252] %} when {{ loop.index0 }} then {{ each }}
    {% endfor %} end
{%- endset %}

with steps as (

    select
        *,
        case when to_channel not in ('(conversion)', '(null)') then to_channel end as channel
    from {{ ref('fct_attribution_steps_monthly') }}
    where {{ in_days_to_replace('month_start_date') }}

),

numbered as (

    select
        *,
        case when channel is not null then dense_rank() over of_a_month end as channel_number
    from steps
    window of_a_month as (
        partition by month_start_date, conversion_type order by channel nulls last
    )

),

-- one bit a channel
bitted as (

    select
        *,
        case channel_number
            {% for number in range(10) %}
                when {{ number + 1 }} then {{ 2 ** number }}
            {% endfor %}
        end as channel_bit
    from numbered

),

channels as (

    select
        month_start_date,
        conversion_type,
        channel,
        channel_bit,
        max(max(load_id)) over (partition by month_start_date, conversion_type) as load_id
    from bitted
    where channel is not null
    group by month_start_date, conversion_type, channel, channel_bit

),

-- each path ends once
path_sets as (

    select
        month_start_date,
        conversion_type,
        cast(sum(distinct channel_bit) as {{ dbt.type_bigint() }}) as bits,
        sum(case when channel is null then step_count else 0 end) as path_count,
        sum(case when to_channel = '(conversion)' then step_count else 0 end) as converting_count
    from bitted
    group by month_start_date, conversion_type, channel_set

),

flags as (

    select 0 as flag
    union all
    select 1 as flag

),

coalitions as (

    select
        flag_0.flag
        {% for number in range(1, 10) %}
            + flag_{{ number }}.flag * {{ 2 ** number }}
        {% endfor %}
            as bits,
        flag_0.flag
        {% for number in range(1, 10) %}
            + flag_{{ number }}.flag
        {% endfor %}
            as channel_count
    from flags as flag_0
    {% for number in range(1, 10) %}
        cross join flags as flag_{{ number }}
    {% endfor %}

),

-- the paths that touch just these channels
inside_1 as (

    select
        channels.month_start_date,
        channels.conversion_type,
        coalitions.bits,
        coalitions.channel_count,
        coalesce(path_sets.path_count, 0) as path_count,
        coalesce(path_sets.converting_count, 0) as converting_count
    from channels
    cross join coalitions
    left join path_sets
        on channels.month_start_date = path_sets.month_start_date
        and channels.conversion_type = path_sets.conversion_type
        and coalitions.bits = path_sets.bits
    where channels.channel_bit = 1

),

-- and those that touch fewer, a channel at a time
{% for bit in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] %}
    inside_{{ 2 * bit }} as (

        select
            month_start_date,
            conversion_type,
            bits,
            channel_count,
            sum(path_count) over (
                partition by month_start_date, conversion_type, bits - (bits & {{ bit }})
                order by bits nulls last rows unbounded preceding
            ) as path_count,
            sum(converting_count) over (
                partition by month_start_date, conversion_type, bits - (bits & {{ bit }})
                order by bits nulls last rows unbounded preceding
            ) as converting_count
        from inside_{{ bit }}

    ),
{% endfor %}

-- conversions in a million paths; the coalition of nobody has none and is worth 0
worths as (

    select
        month_start_date,
        conversion_type,
        bits,
        coalesce({{ ratio('converting_count * 1000000', 'path_count') }}, 0) as worth,
        {{ share }} as share_without,
        {{ share | replace('channel_count', 'channel_count - 1') }} as share_with
    from inside_1024

),

added as (

    select
        month_start_date,
        {% for number in range(10) %}
            sum(
                worth
                * case when (bits & {{ 2 ** number }}) = 0 then -share_without else share_with end
            ) as added_{{ number }},
        {% endfor %}
        conversion_type
    from worths
    group by month_start_date, conversion_type

),

final as (

    select
        channels.month_start_date,
        channels.conversion_type,
        channels.channel,
        cast(
            case channels.channel_bit
                {% for number in range(10) %}
                    when {{ 2 ** number }} then {{ ratio('added.added_' ~ number, 2520) }}
                {% endfor %}
            end as {{ dbt.type_numeric() }}
        ) as value_per_million,
        channels.load_id
    from channels
    inner join added
        on channels.month_start_date = added.month_start_date
        and channels.conversion_type = added.conversion_type

)

select * from final

{{ replaces_days(
    'month_start_date', changes='int_marketing__attribution_month_changes',
    looked_up_by=['conversion_type', 'channel'],
) }}
-- Grain: one row is a channel in a month and for a conversion type, with its Shapley value: what it
-- adds to coalitions of channels, whose worth is the share that converts of the paths inside them.

{# size! (9 - size)! / 10! in parts of 2520; a channel that a month lacks changes nobody's value #}
{% set shares = [252, 28, 7, 3, 2, 2, 3, 7, 28, 252] %}

with steps as (

    select *
    from {{ ref('fct_attribution_steps_monthly') }}
    where {{ in_days_to_replace('month_start_date') }}

),

-- each path ends once
path_sets as (

    select
        month_start_date,
        conversion_type,
        channel_set,
        sum(step_count) as path_count,
        sum(case when to_channel = '(conversion)' then step_count else 0 end) as converting_count,
        max(load_id) as load_id
    from steps
    where to_channel in ('(conversion)', '(null)')
    group by month_start_date, conversion_type, channel_set

),

set_channels as (

    select
        month_start_date,
        conversion_type,
        channel_set,
        to_channel as channel
    from steps
    where to_channel not in ('(conversion)', '(null)')
    group by month_start_date, conversion_type, channel_set, to_channel

),

members as (

    select
        set_channels.*,
        path_sets.path_count,
        path_sets.converting_count,
        path_sets.load_id,
        dense_rank() over (
            partition by set_channels.month_start_date, set_channels.conversion_type
            order by set_channels.channel nulls last
        ) as channel_number
    from set_channels
    inner join path_sets
        on set_channels.month_start_date = path_sets.month_start_date
        and set_channels.conversion_type = path_sets.conversion_type
        and set_channels.channel_set = path_sets.channel_set

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
    from members

),

channels as (

    select
        month_start_date,
        conversion_type,
        channel,
        channel_bit,
        sum(path_count) as path_count,
        sum(converting_count) as converting_count
    from bitted
    group by month_start_date, conversion_type, channel, channel_bit

),

set_bits as (

    select
        month_start_date,
        conversion_type,
        min(path_count) as path_count,
        min(converting_count) as converting_count,
        min(load_id) as load_id,
        cast(sum(channel_bit) as {{ dbt.type_bigint() }}) as bits
    from bitted
    group by month_start_date, conversion_type, channel_set

),

flags as (

    select 0 as flag
    union all
    select 1 as flag

),

sized as (

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

coalitions as (

    select
        cast(bits as {{ dbt.type_bigint() }}) as bits,
        case channel_count
            {% for share in shares %}
                when {{ loop.index }} then {{ share }}
            {% endfor %}
        end as share_with,
        case channel_count
            {% for share in shares %}
                when {{ loop.index0 }} then {{ share }}
            {% endfor %}
        end as share_without
    from sized

),

-- conversions in a million paths; the coalition of nobody has none and is worth 0
worths as (

    select
        set_bits.month_start_date,
        set_bits.conversion_type,
        coalitions.bits,
        coalitions.share_with,
        coalitions.share_without,
        {{ ratio('sum(set_bits.converting_count) * 1000000', 'sum(set_bits.path_count)') }}
            as worth,
        max(set_bits.load_id) as load_id
    from coalitions
    inner join set_bits on (coalitions.bits & set_bits.bits) = set_bits.bits
    group by
        set_bits.month_start_date, set_bits.conversion_type,
        coalitions.bits, coalitions.share_with, coalitions.share_without

),

final as (

    select
        channels.month_start_date,
        channels.conversion_type,
        channels.channel,
        cast(channels.path_count as {{ dbt.type_bigint() }}) as path_count,
        cast(channels.converting_count as {{ dbt.type_bigint() }}) as converting_path_count,
        {{ ratio(
            'sum(worths.worth * case when (worths.bits & channels.channel_bit) = 0'
            ' then -worths.share_without else worths.share_with end)', 2520
        ) }} as value_per_million,
        max(worths.load_id) as load_id
    from worths
    inner join channels
        on worths.month_start_date = channels.month_start_date
        and worths.conversion_type = channels.conversion_type
    group by
        channels.month_start_date, channels.conversion_type, channels.channel,
        channels.path_count, channels.converting_count

)

select * from final

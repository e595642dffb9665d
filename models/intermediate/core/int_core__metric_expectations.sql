-- One row is a judged metric of a segment on a day: its score, and what its own past expects.
{% set one = 'exp(0)' %}
{% set middle = 'place * 2 between history_count and history_count + 2' %}

with metric_series as (

    select * from {{ ref('int_core__metric_series') }}

),

-- Sums are judged as they are, shares by the logarithm of their odds, other ratios by their own: on
-- these scales the usual deviation is as large up as down. Too little below the line says nothing.
scored as (

    select
        *,
        cast(
            case
                when shape in ('sum', 'amount') then numerator
                when shape = 'share' and denominator >= 20
                    then ln({{ one }} * (numerator + cast('0.5' as numeric(2, 1))))
                        - ln({{ one }} * greatest(
                            denominator - numerator + cast('0.5' as numeric(2, 1)),
                            cast('0.5' as numeric(2, 1))
                        ))
                when shape = 'ratio' and numerator > 0 and denominator >= 20
                    then ln(numerator * {{ one }}) - ln(denominator * {{ one }})
            end as {{ dbt.type_numeric() }}
        ) as score
    from metric_series

),

placed as (

    select
        series,
        metric_date,
        day_class,
        score,
        row_number() over (
            partition by series, day_class order by metric_date nulls last
        ) as place
    from scored
    where score is not null

),

-- the eight days of the same class before the last one, which may still restate
past as (

    select
        placed.series,
        placed.metric_date,
        earlier.score as past_score,
        row_number() over (
            partition by placed.series, placed.metric_date
            order by earlier.score nulls last, earlier.metric_date
        ) as place,
        count(*) over (partition by placed.series, placed.metric_date) as history_count
    from placed
    inner join placed as earlier
        on placed.series = earlier.series
        and placed.day_class = earlier.day_class
        and earlier.place between placed.place - 9 and placed.place - 2

),

medians as (

    select
        series,
        metric_date,
        {{ ratio('sum(past_score)', 'count(*)') }} as expected_score
    from past
    where {{ middle }}
    group by series, metric_date

),

deviations as (

    select
        past.series,
        past.metric_date,
        past.history_count,
        medians.expected_score,
        abs(past.past_score - medians.expected_score) as deviation,
        row_number() over (
            partition by past.series, past.metric_date
            order by abs(past.past_score - medians.expected_score) nulls last, past.place
        ) as place
    from past
    inner join medians
        on past.series = medians.series
        and past.metric_date = medians.metric_date

),

spreads as (

    select
        series,
        metric_date,
        max(expected_score) as expected_score,
        max(history_count) as history_count,
        {{ ratio(
            'sum(case when ' ~ middle ~ ' then deviation end)',
            'sum(case when ' ~ middle ~ ' then 1 end)',
        ) }} as mad,
        {{ ratio('sum(deviation)', 'count(*)') }} as mean_deviation
    from deviations
    group by series, metric_date

),

final as (

    select
        scored.series,
        scored.metric_date,
        scored.metric,
        scored.segment_type,
        scored.segment,
        scored.age_days,
        scored.shape,
        scored.good,
        scored.is_holiday,
        scored.days_ago,
        scored.numerator,
        scored.denominator,
        scored.score,
        spreads.expected_score,
        case
            when scored.shape in ('sum', 'amount') then spreads.expected_score
            else 1
        end as expected_level,
        spreads.mad,
        spreads.mean_deviation,
        coalesce(spreads.history_count, 0) as history_count
    from scored
    left join spreads
        on scored.series = spreads.series
        and scored.metric_date = spreads.metric_date

)

select * from final

-- One row is a judged metric of a segment on a day: how far it is from what is usual.
--
-- The median and the mean of absolute deviations, as estimates of a standard deviation. They have
-- three decimals so that no product has more than nine, which BigQuery would round twice; so does
-- DuckDB where it compares two that have several, which are therefore cast first.
{% set mad_scale = "cast('1.483' as numeric(4, 3))" %}
{% set mean_scale = "cast('1.253' as numeric(4, 3))" %}
{% set one = 'exp(0)' %}  {# as a float #}

with expectations as (

    select * from {{ ref('int_core__metric_expectations') }}

),

-- One day's median deviation is of eight values only: what is usual is taken over four weeks, as a
-- share of the level where the metric is a sum.
windowed as (

    select
        *,
        sum(case when not is_holiday then mad end) over four_weeks as mad_sum,
        sum(case when is_holiday or mad is null then 0 else expected_level end)
            over four_weeks as level_sum
    from expectations
    window four_weeks as (
        partition by series order by metric_date rows between 27 preceding and current row
    )

),

usual as (

    select
        *,
        case
            when shape = 'share'
                then cast(1 / (1 + exp(-expected_score * {{ one }})) as {{ dbt.type_numeric() }})
            when shape = 'ratio'
                then cast(exp(expected_score * {{ one }}) as {{ dbt.type_numeric() }})
            else expected_score
        end as expected_value,
        -- of nothing and a number, greatest() is the number on some engines and nothing on others
        case
            when expected_level is not null
                then greatest(
                        cast(
                            coalesce(
                                {{ ratio('mad_sum', ratio('level_sum', 'expected_level')) }}, 0
                            ) * {{ mad_scale }} as {{ dbt.type_numeric() }}
                        ),
                        cast(
                            coalesce(mean_deviation, 0) * {{ mean_scale }}
                            as {{ dbt.type_numeric() }}
                        )
                    )
        end as usual_deviation
    from windowed

),

-- how far the day is off on the scale of its usual deviation, no odd day counting for much, and how
-- far in units of what chance alone makes of a count, or of a share of so many
compared as (

    select
        *,
        score - expected_score as deviation,
        case
            when not is_holiday and score - expected_score is not null
                then greatest(
                        least(score - expected_score, 2 * usual_deviation), -2 * usual_deviation
                    )
        end as clipped_deviation,
        case shape
            when 'sum' then {{ ratio(
                'score - expected_score',
                "sqrt(greatest(expected_score, 0) * cast('1.25' as numeric(3, 2)) + 1)",
            ) }}
            when 'share' then {{ ratio(
                'numerator - denominator * expected_value',
                "sqrt(denominator * expected_value * (1 - expected_value)"
                ~ " * cast('1.25' as numeric(3, 2)) + 1)",
            ) }}
        end as chance_z
    from usual

),

-- the same weekday four weeks before, neither being a holiday; and how far the four weeks before
-- this day were off, which growth makes them be
paired as (

    select
        compared.*,
        case
            when compared.score - earlier.score is not null and compared.history_count >= 6
                then greatest(
                        least(compared.score - earlier.score, 3 * compared.usual_deviation),
                        -3 * compared.usual_deviation
                    )
        end as four_week_step,
        case
            when compared.shape in ('sum', 'amount') then earlier.score
            else 1
        end as four_week_base,
        {{ ratio(
            'sum(compared.clipped_deviation) over before_it',
            "sum(case when compared.clipped_deviation is null then 0 else compared.expected_level end)"
            ~ " over before_it",
        ) }} as recent_change
    from compared
    left join expectations as earlier
        on compared.series = earlier.series
        and compared.metric_date = {{ add_days('earlier.metric_date', 28) }}
        and not earlier.is_holiday
        and not compared.is_holiday
    window before_it as (
        partition by compared.series
        order by compared.metric_date
        rows between 28 preceding and 1 preceding
    )

),

final as (

    select
        series,
        metric_date,
        metric,
        segment_type,
        segment,
        age_days,
        shape,
        good,
        days_ago,
        numerator,
        denominator,
        score,
        expected_score,
        expected_level,
        expected_value,
        mad,
        history_count,
        usual_deviation,
        deviation,
        cast(
            deviation - coalesce(recent_change, 0) * expected_level as {{ dbt.type_numeric() }}
        ) as fresh_deviation,
        greatest(
            cast(
                5 * usual_deviation
                -- the spread of a sum grows as it does
                * case
                    when shape in ('sum', 'amount') and score > expected_score + usual_deviation
                        then cast(
                                sqrt(
                                    {{ one }}
                                    * {{ ratio('score', 'expected_score + usual_deviation') }}
                                )
                                as numeric(12, 3)
                            )
                    else 1
                end as {{ dbt.type_numeric() }}
            ),
            cast(
                cast('0.1' as numeric(2, 1))
                * expected_level
                * case when is_holiday then 5 else 1 end as {{ dbt.type_numeric() }}
            )
        ) as deviation_floor,
        chance_z,
        case
            when mad > 0 then {{ ratio('score - expected_score', 'mad * ' ~ mad_scale) }}
            else {{ ratio('score - expected_score', 'mean_deviation * ' ~ mean_scale) }}
        end as robust_z,
        count(four_week_step) over four_weeks as step_count,
        sum(sign(four_week_step)) over four_weeks as step_sign_sum,
        sum(four_week_step) over four_weeks as step_sum,
        sum(case when four_week_step is not null then four_week_base end) over four_weeks
            as step_base_sum,
        sum(
            case when four_week_step is not null then 2 * usual_deviation * usual_deviation end
        ) over four_weeks as step_variance_sum
    from paired
    window four_weeks as (
        partition by series order by metric_date rows between 27 preceding and current row
    )

)

select * from final

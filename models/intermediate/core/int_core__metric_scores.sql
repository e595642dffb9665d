-- One row is a judged metric of a segment on a day: how far it is from what is usual.

with expectations as (

    select * from {{ ref('int_core__metric_expectations') }}

),

-- One day's median deviation is of eight values only: what is usual is taken over four weeks, as a
-- share of the level where the metric is a sum.
windowed as (

    select
        *,
        sum(case when not is_holiday then mad end) over four_weeks as mad_sum,
        sum(
            case
                when is_holiday or mad is null then 0
                when shape = 'sum' then expected_score
                else 1
            end
        ) over four_weeks as level_sum
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
                then cast(1 / (1 + exp(-expected_score)) as {{ dbt.type_numeric() }})
            when shape = 'ratio' then cast(exp(expected_score) as {{ dbt.type_numeric() }})
            else expected_score
        end as expected_value,
        coalesce(
            cast(
                {{ ratio('mad_sum', 'level_sum') }}
                * case when shape = 'sum' then expected_score else 1 end
                * cast('1.4826' as numeric(5, 4))
                as {{ dbt.type_numeric() }}
            ),
            0
        ) as usual_deviation
    from windowed

),

-- what chance alone makes of a count, or of a share of so many
chance as (

    select
        *,
        case
            when shape = 'sum' then cast(sqrt(expected_score + 1) as {{ dbt.type_numeric() }})
            when shape = 'share'
                then cast(
                        sqrt(
                            {{ ratio('1', 'denominator * expected_value + 0.5') }}
                            + {{ ratio('1', 'denominator * (1 - expected_value) + 0.5') }}
                        ) as {{ dbt.type_numeric() }}
                    )
            else 0
        end as chance_deviation
    from usual

),

-- the same weekday four weeks before, neither being a holiday; one odd day counts only so much
paired as (

    select
        chance.*,
        case
            when earlier.score is not null and chance.history_count >= 6
                then greatest(
                        least(chance.score - earlier.score, 3 * chance.usual_deviation),
                        -3 * chance.usual_deviation
                    )
        end as four_week_step,
        case when chance.shape = 'sum' then earlier.score else 1 end as four_week_base
    from chance
    left join expectations as earlier
        on chance.series = earlier.series
        and chance.metric_date = {{ add_days('earlier.metric_date', 28) }}
        and not earlier.is_holiday
        and not chance.is_holiday

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
        expected_value,
        mad,
        history_count,
        usual_deviation,
        score - expected_score as deviation,
        greatest(
            4 * usual_deviation,
            4 * chance_deviation,
            case when shape = 'sum' then expected_score else 1 end * cast('0.1' as numeric(2, 1))
        ) as deviation_floor,
        case
            when mad > 0
                then {{ ratio(
                    "(score - expected_score) * cast('0.6745' as numeric(5, 4))", 'mad'
                ) }}
            else {{ ratio(
                'score - expected_score', "mean_deviation * cast('1.253314' as numeric(7, 6))"
            ) }}
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

-- One row is a judged metric of a segment on a day: what it was, what was to be expected, and
-- whether that is odd.

with scores as (

    select * from {{ ref('int_core__metric_scores') }}

),

judged as (

    select
        *,
        case
            when score is null then 'thin'
            -- money that comes in rarely
            when shape = 'amount' and expected_score <= 2 * usual_deviation then 'thin'
            when history_count < 6 then 'young'
            else 'judged'
        end as status,
        abs(deviation) > deviation_floor
        and abs(fresh_deviation) > deviation_floor
        and (chance_z is null or abs(chance_z) > 5)
        and case
            when robust_z is null
                then abs(deviation) * 2 > expected_level
            else abs(robust_z) > cast('3.5' as numeric(2, 1))
        end as is_jump,
        step_count >= 20
        and abs(step_sign_sum) * 10 >= step_count * 6
        and abs(step_sum) * 10 > step_base_sum
        and step_sum * step_sum > 25 * step_variance_sum as is_drift,
        max(age_days) over (partition by metric, segment_type, segment, metric_date) as newest_age
    from scores

),

told as (

    select
        *,
        case
            when status <> 'judged' then 'none'
            when is_jump and deviation > 0 then 'spike'
            when is_jump then 'drop'
            when is_drift then 'leak'
            else 'none'
        end as kind,
        case
            when status <> 'judged' then 'none'
            when is_jump and deviation > 0 then 'up'
            when is_jump then 'down'
            when is_drift and step_sum > 0 then 'up'
            when is_drift then 'down'
            else 'none'
        end as direction
    from judged
    where age_days = newest_age

),

followed as (

    select
        *,
        max(case when kind <> 'none' then 1 else 0 end) over (
            partition by metric, segment_type, segment
            order by metric_date
            rows between 7 preceding and 1 preceding
        ) as recent_flag
    from told

),

totals as (

    select
        metric,
        metric_date,
        deviation
    from told
    where segment_type = 'total'

),

final as (

    select
        followed.metric_date,
        followed.metric,
        followed.segment_type,
        followed.segment,
        followed.age_days,

        case
            when followed.shape in ('sum', 'amount') then followed.numerator
            else {{ ratio('followed.numerator', 'followed.denominator') }}
        end as value,
        followed.expected_value,
        followed.numerator,
        case
            when followed.shape not in ('sum', 'amount') then followed.denominator
        end as denominator,

        cast(followed.history_count as {{ dbt.type_bigint() }}) as history_count,
        followed.score,
        followed.expected_score,
        followed.mad,
        followed.robust_z,
        cast(followed.deviation_floor as {{ dbt.type_numeric() }}) as deviation_floor,
        {{ ratio('followed.step_sum', 'followed.step_base_sum') }} as four_week_change,
        case
            when followed.shape in ('sum', 'amount') and followed.segment_type <> 'total'
                then {{ ratio('followed.deviation', 'totals.deviation') }}
        end as contribution,

        followed.status,
        followed.kind,
        followed.direction,
        followed.kind <> 'none' as is_anomaly,
        followed.direction <> 'none'
        and followed.good <> 'none'
        and followed.direction <> followed.good as is_bad,
        followed.kind <> 'none' and coalesce(followed.recent_flag, 0) = 0 as is_new
    from followed
    left join totals
        on followed.metric = totals.metric
        and followed.metric_date = totals.metric_date
    where followed.days_ago < 400

)

select * from final

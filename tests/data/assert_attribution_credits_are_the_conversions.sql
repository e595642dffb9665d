-- Exactly, not nearly: under each of nine models, a conversion's credits are 1 and its value.
with credits as (

    select
        conversion_id,
        attribution_model,
        sum(credit) as credit,
        sum(credit_value_krw) as credit_value_krw,
        count(*) as row_count,
        max(touch_count) as touch_count
    from {{ ref('fct_attribution') }}
    group by conversion_id, attribution_model

),

conversions as (

    select
        conversion_id,
        sum(credit) as credit,
        min(credit_value_krw) as least_value_krw,
        max(credit_value_krw) as most_value_krw,
        count(*) as model_count,
        max(
            case when credit <> 1 or row_count <> greatest(touch_count, 1) then 1 else 0 end
        ) as is_wrong
    from credits
    group by conversion_id

)

select facts.conversion_id
from {{ ref('fct_conversions') }} as facts
left join conversions on facts.conversion_id = conversions.conversion_id
where conversions.conversion_id is null
    or conversions.model_count <> 9
    or conversions.is_wrong = 1
    or conversions.least_value_krw <> facts.value_krw
    or conversions.most_value_krw <> facts.value_krw
union all
select conversions.conversion_id
from conversions
left join {{ ref('fct_conversions') }} as facts
    on conversions.conversion_id = facts.conversion_id
where facts.conversion_id is null

-- What a review is worth as evidence: its age, whether its writer was there, whether it shows it.
{# a 1 in double precision on each engine; dbt's own `float` has 32 bits on DuckDB #}
{% set one = 'exp(0)' %}
with reviews as (

    select *
    from {{ ref('stg_app_db__reviews') }}
    where not is_deleted
        and not is_hidden

),

visits as (

    select * from {{ ref('int_marketing__visits') }}

),

settings as (

    select * from {{ ref('int_marketing__event_product_settings') }}

),

-- no model knows the clock: ages are as of the newest day in the data
today as (

    select *
    from {{ ref('int_marketing__reviews_as_of_days') }}
    where is_newest

),

-- who names no visit may have made one
earlier_visits as (

    select
        reviews.review_id,
        max(visits.load_id) as load_id
    from reviews
    inner join visits
        on reviews.member_key = visits.member_key
        and reviews.hospital_id = visits.hospital_id
        and reviews.written_at >= visits.completed_at
    where reviews.reception_id is null
    group by reviews.review_id

),

judged as (

    select
        reviews.*,
        today.as_of_date,
        {{ kst_date('reviews.written_at') }} as written_date,
        case when reviews.rating between 1 and 5 then reviews.rating end as stars,
        coalesce(
            visits.completed_at <= reviews.written_at or earlier_visits.review_id is not null,
            false
        ) as is_verified_visit,
        case when visits.completed_at > reviews.written_at then 'before_visit' end
            as exclusion_reason,
        greatest(
            reviews.load_id, coalesce(visits.load_id, 0), coalesce(earlier_visits.load_id, 0)
        ) as newest_load_id
    from reviews
    -- one row
    cross join today
    left join visits
        on reviews.reception_id = visits.reception_id
        and reviews.member_key = visits.member_key
        and reviews.hospital_id = visits.hospital_id
    left join earlier_visits on reviews.review_id = earlier_visits.review_id

),

aged as (

    select
        *,
        cast({{ dbt.datediff('written_date', 'as_of_date', 'day') }} as {{ dbt.type_bigint() }})
            as age_days
    from judged

),

final as (

    select
        aged.review_id,
        aged.hospital_id,
        aged.event_product_id,

        aged.stars,
        aged.photo_count,
        aged.helpful_count,
        aged.unhelpful_count,
        aged.is_verified_visit,
        aged.exclusion_reason,

        aged.as_of_date,
        aged.written_at,
        aged.written_date,
        aged.age_days,
        -- nine decimals first: engines round the same from there
        cast(cast(power(
            2 * {{ one }}, -aged.age_days * {{ one }} / settings.review_half_life_days
        ) as numeric(28, 9)) as {{ dbt.type_numeric() }}) as recency_weight,
        cast(
            case when aged.is_verified_visit then 1 else settings.review_unverified_weight end
            as {{ dbt.type_numeric() }}
        ) as visit_weight,
        cast(
            case when aged.photo_count > 0 then 1 else settings.review_no_photo_weight end
            as {{ dbt.type_numeric() }}
        ) as photo_weight,

        aged.newest_load_id as load_id
    from aged
    -- one row
    cross join settings

)

select * from final

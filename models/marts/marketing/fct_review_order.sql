-- One row is a review in the list of its hospital or event product, with why it stands there.
{# a 1 in double precision on each engine; dbt's own `float` has 32 bits on DuckDB #}
{% set one = 'exp(0)' %}

with reviews as (

    select * from {{ ref('int_marketing__reviews_judged') }}

),

settings as (

    select
        wilson_z * {{ one }} as z,
        stars_prior_count
    from {{ ref('int_marketing__event_product_settings') }}

),

listed as (

    select
        'hospital' as list_type,
        hospital_id as list_id,
        *
    from reviews
    where hospital_id is not null
    union all
    select
        'event_product' as list_type,
        event_product_id as list_id,
        *
    from reviews
    where event_product_id is not null

),

-- weights go on the counts, before any formula
evidence as (

    select
        *,
        case
            when exclusion_reason is not null then 0
            else cast(
                    cast(recency_weight * visit_weight as {{ dbt.type_numeric() }}) * photo_weight
                    as {{ dbt.type_numeric() }}
                )
        end as evidence_weight
    from listed

),

weighted as (

    select
        *,
        cast(helpful_count * evidence_weight as {{ dbt.type_numeric() }}) as weighted_helpful,
        cast(unhelpful_count * evidence_weight as {{ dbt.type_numeric() }}) as weighted_unhelpful,
        helpful_count * evidence_weight * {{ one }} as helpful,
        (helpful_count + unhelpful_count) * evidence_weight * {{ one }} as votes,
        case when stars is not null then evidence_weight else 0 end as stars_weight
    from evidence

),

-- the stars of all lists of a kind: what a list without reviews is expected to have
priors as (

    select
        list_type,
        {{ ratio('sum(stars * stars_weight)', 'sum(stars_weight)') }} as stars_prior
    from weighted
    group by list_type

),

-- sums of decimals, so that no order of rows matters
lists as (

    select
        list_type,
        list_id,
        count(case when exclusion_reason is null then review_id end) as review_count,
        sum(stars_weight) as weighted_review_count,
        sum(coalesce(stars, 0) * stars_weight) as weighted_stars,
        sum(coalesce(stars * stars, 0) * stars_weight) as weighted_squares
    from weighted
    group by list_type, list_id

),

-- five stars, each seen once before: k = 1 + 2 + 3 + 4 + 5 = 15, k squared = 55
list_means as (

    select
        lists.*,
        priors.stars_prior,
        {{ ratio(
            'settings.stars_prior_count * coalesce(priors.stars_prior, 0) + lists.weighted_stars',
            'settings.stars_prior_count + lists.weighted_review_count'
        ) }} as bayesian_stars,
        lists.weighted_review_count * {{ one }} as n,
        (lists.weighted_stars + 15) * {{ one }} / (lists.weighted_review_count + 5) as mean,
        (lists.weighted_squares + 55) * {{ one }} / (lists.weighted_review_count + 5)
            as mean_square
    from lists
    inner join priors on lists.list_type = priors.list_type
    -- one row
    cross join settings

),

scored as (

    select
        weighted.*,
        list_means.review_count,
        list_means.weighted_review_count,
        list_means.stars_prior,
        list_means.bayesian_stars,
        -- nine decimals first: engines round the same from there
        cast(cast(
            list_means.mean - settings.z * sqrt(
                (list_means.mean_square - list_means.mean * list_means.mean)
                / (list_means.n + 6)
            ) as numeric(28, 9)
        ) as {{ dbt.type_numeric() }}) as stars_lower_bound,
        case
            when weighted.votes > 0
                then cast(cast(
                        (
                            weighted.helpful + settings.z * settings.z / 2
                            - settings.z * sqrt(
                                weighted.helpful
                                * (weighted.votes - weighted.helpful)
                                / weighted.votes
                                + settings.z * settings.z / 4
                            )
                        ) / (weighted.votes + settings.z * settings.z) as numeric(28, 9)
                    ) as {{ dbt.type_numeric() }})
            else 0
        end as helpful_lower_bound
    from weighted
    inner join list_means
        on weighted.list_type = list_means.list_type
        and weighted.list_id = list_means.list_id
    -- one row
    cross join settings

),

final as (

    select
        list_type,
        review_id,
        hospital_id,
        event_product_id,
        as_of_date,
        case
            when exclusion_reason is null
                then row_number() over (
                        partition by list_type, list_id
                        order by
                            case when exclusion_reason is null then 0 else 1 end asc,
                            helpful_lower_bound desc nulls last,
                            weighted_unhelpful asc nulls last,
                            evidence_weight desc nulls last,
                            written_at desc nulls last,
                            review_id desc nulls last
                    )
        end as list_position,
        exclusion_reason,
        written_at,
        age_days,
        stars,
        photo_count,
        is_verified_visit,
        recency_weight,
        visit_weight,
        photo_weight,
        cast(evidence_weight as {{ dbt.type_numeric() }}) as evidence_weight,
        helpful_count,
        unhelpful_count,
        weighted_helpful as weighted_helpful_count,
        weighted_unhelpful as weighted_unhelpful_count,
        cast(helpful_lower_bound as {{ dbt.type_numeric() }}) as helpful_lower_bound,
        cast(review_count as {{ dbt.type_bigint() }}) as list_review_count,
        cast(weighted_review_count as {{ dbt.type_numeric() }}) as list_weighted_review_count,
        stars_prior as list_stars_prior,
        bayesian_stars as list_bayesian_stars,
        stars_lower_bound as list_stars_lower_bound,
        load_id
    from scored

)

select * from final

{{ config(materialized='table') }}
-- Who agreed to it, the accounts of a person as one, and nothing about sensitive offers.
with interest_days as (

    select * from {{ ref('int_marketing__item_interest_days') }}

),

member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

members as (

    select * from {{ ref('int_marketing__recommendation_members') }}

),

products as (

    select *
    from {{ ref('dim_event_products') }}
    where not is_sensitive

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

merged as (

    select
        interest_days.*,
        coalesce(member_merges.surviving_member_key, interest_days.member_key) as person_key
    from interest_days
    left join member_merges on interest_days.member_key = member_merges.from_member_key

),

final as (

    select
        merged.interest_date,
        members.member_key,
        merged.event_product_id,
        cast(sum(
            merged.view_count * rules.view_weight
            + merged.application_count * rules.application_weight
            -- what a clinic did with somebody is health data, an interest in its offer is not
            + case
                when members.has_health_consent
                    then merged.booking_count * rules.booking_weight
                        + merged.visit_count * rules.visit_weight
                else 0
            end
        ) as {{ dbt.type_bigint() }}) as weight,
        sum(merged.application_count) > 0 as is_application,
        merged.interest_date >= rules.since_date as is_recent
    from merged
    inner join members on merged.person_key = members.member_key
    inner join products on merged.event_product_id = products.event_product_id
    -- one row
    cross join rules
    group by
        merged.interest_date, members.member_key, merged.event_product_id, rules.since_date

)

select * from final

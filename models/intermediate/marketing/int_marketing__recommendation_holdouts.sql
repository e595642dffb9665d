with interests as (

    select * from {{ ref('int_marketing__item_interests') }}

),

applications as (

    select
        member_key,
        event_product_id,
        interest_date,
        row_number() over (
            partition by member_key
            order by interest_date desc nulls last, event_product_id desc nulls last
        ) as recency
    from interests
    where is_application
        and is_recent

),

-- a second application for an offer can't be foreseen: it isn't recommended any more
first_applications as (

    select
        member_key,
        event_product_id,
        min(interest_date) as first_date
    from interests
    where is_application
    group by member_key, event_product_id

),

final as (

    select distinct
        applications.member_key,
        applications.event_product_id,
        applications.interest_date as held_out_date
    from applications
    inner join first_applications
        on applications.member_key = first_applications.member_key
        and applications.event_product_id = first_applications.event_product_id
        and applications.interest_date = first_applications.first_date
    inner join interests as earlier
        on applications.member_key = earlier.member_key
        and applications.event_product_id <> earlier.event_product_id
        and applications.interest_date > earlier.interest_date
        and earlier.is_recent
    where applications.recency = 1

)

select * from final

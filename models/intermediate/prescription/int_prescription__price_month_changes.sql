with prices as (

    select * from {{ ref('stg_hira__drug_prices') }}

),

item_changes as (

    select * from {{ ref('int_prescription__item_changes') }}

),

loads as (

    select
        price_month,
        max(load_id) as load_id
    from prices
    group by price_month

),

followed as (

    select
        price_month,
        lead(price_month) over (order by price_month nulls last) as next_price_month,
        load_id
    from loads

),

final as (

    select
        price_month as month_start_date,
        load_id
    from followed

    union all

    -- a list is what the next one is compared with
    select
        next_price_month as month_start_date,
        load_id
    from followed
    where next_price_month is not null

    union all

    -- and what was prescribed in the month before is what a change costs
    select
        cast(
            {{ dbt.dateadd('month', 1, dbt.date_trunc('month', 'issued_date')) }} as date
        ) as month_start_date,
        load_id
    from item_changes

)

select * from final

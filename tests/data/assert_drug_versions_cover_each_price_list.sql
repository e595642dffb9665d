-- On the first day of a list's month, the valid versions are the list: no product more, none less.
with lists as (

    select
        price_month,
        count(*) as product_count
    from {{ ref('stg_hira__drug_prices') }}
    where not is_deleted and not is_repeat
    group by price_month

),

versions as (

    select
        lists.price_month,
        count(*) as version_count
    from lists
    inner join {{ ref('dim_drugs') }} as drugs
        on drugs.valid_from <= lists.price_month
        and (drugs.valid_to > lists.price_month or drugs.valid_to is null)
    group by lists.price_month

)

select
    lists.price_month,
    lists.product_count,
    versions.version_count
from lists
left join versions
    on versions.price_month = lists.price_month
where versions.version_count is null or versions.version_count <> lists.product_count

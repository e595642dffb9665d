with hospitals as (

    select * from {{ ref('int_core__hospitals_cleaned') }}

),

-- A version can't start before the one it follows.
dated as (

    select
        hospital_id,
        load_id,
        extracted_at,
        deleted_date,
        attributes_key,
        max(changed_date) over (
            partition by hospital_id
            order by extracted_at nulls last, load_id nulls last
            rows between unbounded preceding and current row
        ) as valid_from
    from hospitals

),

followed as (

    select
        hospital_id,
        load_id,
        deleted_date,
        attributes_key,
        valid_from,
        lead(valid_from) over (
            partition by hospital_id order by extracted_at nulls last, load_id nulls last
        ) as next_valid_from
    from dated

),

-- The last state of a day stands for the day.
compared as (

    select
        hospital_id,
        load_id,
        deleted_date,
        valid_from,
        case
            when lag(attributes_key) over hospital_days = attributes_key
                and lag(deleted_date) over hospital_days is null then 0
            else 1
        end as is_start
    from followed
    where next_valid_from is null or next_valid_from > valid_from
    window hospital_days as (partition by hospital_id order by valid_from nulls last)

),

numbered as (

    select
        hospital_id,
        load_id,
        deleted_date,
        valid_from,
        sum(is_start) over (
            partition by hospital_id
            order by valid_from nulls last
            rows between unbounded preceding and current row
        ) as version_no
    from compared

),

versions as (

    select
        hospital_id,
        version_no,
        min(valid_from) as valid_from,
        max(deleted_date) as deleted_date,
        max(load_id) as load_id
    from numbered
    group by hospital_id, version_no

),

bounded as (

    select
        hospital_id,
        load_id,
        valid_from,
        deleted_date,
        lead(valid_from) over (
            partition by hospital_id order by version_no nulls last
        ) as next_valid_from
    from versions

),

final as (

    select
        hospital_id,
        load_id,
        valid_from,
        case
            when deleted_date is null then next_valid_from
            when deleted_date < valid_from then valid_from
            when next_valid_from < deleted_date then next_valid_from
            else deleted_date
        end as valid_to
    from bounded

)

select * from final

-- A day belongs to one version of a hospital at the most.
with versions as (

    select
        hospital_id,
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by hospital_id order by valid_from nulls last
        ) as next_valid_from
    from {{ ref('dim_hospitals') }}

)

select *
from versions
where next_valid_from is not null and (valid_to is null or valid_to > next_valid_from)

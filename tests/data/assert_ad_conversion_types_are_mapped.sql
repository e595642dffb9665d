-- A kind of conversion that a medium's rows name and the seed doesn't know counts as other.
{{ config(severity='warn') }}

with figures as (

    select * from {{ ref('int_marketing__ad_figures') }}

),

conversion_types as (

    select * from {{ ref('conversion_types') }}

)

select
    figures.medium,
    figures.conversion_type_native,
    count(*) as row_count
from figures
left join conversion_types
    on figures.medium = conversion_types.medium
    and figures.conversion_type_native = conversion_types.conversion_type_native
where figures.conversion_type_native is not null
    and conversion_types.medium is null
group by figures.medium, figures.conversion_type_native

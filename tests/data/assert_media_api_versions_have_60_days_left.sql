-- An API that ends takes its medium's figures with it: its successor needs to be ready before.
{{ config(severity='warn') }}

with freshness as (

    select * from {{ ref('fct_media_freshness') }}

)

select distinct
    medium,
    api_version,
    api_ends_on,
    days_to_api_end
from freshness
where days_to_api_end < 60

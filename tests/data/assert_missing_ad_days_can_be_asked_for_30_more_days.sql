-- A day that was never asked for can be made good as long as the medium keeps it.
{{ config(severity='warn') }}

with freshness as (

    select * from {{ ref('fct_media_freshness') }}

)

select
    medium,
    report,
    account_id,
    oldest_missing_date,
    days_to_retention_loss
from freshness
where missing_day_count > 0
    and days_to_retention_loss < 30

-- Two primary kinds in one report would be added up in the delivery.
with media_fields as (

    select * from {{ ref('media_fields') }}

)

select
    medium,
    report,
    metric,
    count(*) as primary_count
from media_fields
where is_primary
group by medium, report, metric
having count(*) > 1

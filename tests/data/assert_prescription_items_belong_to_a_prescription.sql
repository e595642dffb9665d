-- A line whose prescription isn't in the warehouse has no day, so no mart can hold it.
{{ config(severity='warn') }}

with items as (

    select * from {{ ref('stg_app_db__prescription_items') }}
    where not is_deleted

),

prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}
    where not is_deleted

)

select
    items.prescription_id,
    items.line_no
from items
left join prescriptions
    on prescriptions.prescription_id = items.prescription_id
where prescriptions.prescription_id is null

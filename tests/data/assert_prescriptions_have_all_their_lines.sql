-- Each live prescription stands in the fact once, with as many lines as the product database has.
with prescriptions as (

    select prescription_id
    from {{ ref('stg_app_db__prescriptions') }}
    where not is_deleted

),

items as (

    select
        prescription_id,
        count(*) as item_count
    from {{ ref('stg_app_db__prescription_items') }}
    where not is_deleted
    group by prescription_id

),

expected as (

    select
        prescriptions.prescription_id,
        coalesce(items.item_count, 0) as item_count
    from prescriptions
    left join items
        on items.prescription_id = prescriptions.prescription_id

)

-- a full join, since a row may be missing on either side
select
    expected.prescription_id as expected_prescription_id,
    facts.prescription_id,
    expected.item_count as expected_item_count,
    facts.item_count
from expected
full join {{ ref('fct_prescriptions') }} as facts
    on facts.prescription_id = expected.prescription_id
where
    expected.prescription_id is null
    or facts.prescription_id is null
    or expected.item_count <> facts.item_count

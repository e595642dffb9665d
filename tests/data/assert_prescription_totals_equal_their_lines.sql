-- What a prescription says about its lines is what the lines say.
with lines as (

    select
        prescription_id,
        count(*) as item_count,
        sum(case when is_unknown_drug then 1 else 0 end) as unknown_drug_item_count,
        coalesce(sum(amount_krw), 0) as drug_cost_krw
    from {{ ref('fct_prescription_items') }}
    group by prescription_id

)

select
    lines.prescription_id,
    lines.item_count,
    lines.drug_cost_krw
from lines
left join {{ ref('fct_prescriptions') }} as facts
    on facts.prescription_id = lines.prescription_id
where
    facts.prescription_id is null
    or facts.item_count <> lines.item_count
    or facts.unknown_drug_item_count <> lines.unknown_drug_item_count
    or facts.drug_cost_krw <> lines.drug_cost_krw

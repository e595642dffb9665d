with drug_items as (

    select * from {{ ref('stg_hira__drug_items') }}
    where is_latest

),

told_links as (

    select
        drug_code as from_drug_code,
        drug_code_after as to_drug_code
    from drug_items
    where drug_code_after <> drug_code

    union all

    select
        drug_code_before as from_drug_code,
        drug_code as to_drug_code
    from drug_items
    where drug_code_before <> drug_code

),

-- both products tell of a change; were they to differ, the code that is given last counts
links as (

    select
        from_drug_code,
        max(to_drug_code) as to_drug_code
    from told_links
    group by from_drug_code

),

-- Recursion reads differently on each engine, so the chain is unrolled; a loop ends with it.
final as (

    select
        hop_1.from_drug_code as drug_code,
        coalesce(
            hop_5.to_drug_code,
            hop_4.to_drug_code,
            hop_3.to_drug_code,
            hop_2.to_drug_code,
            hop_1.to_drug_code
        ) as current_drug_code
    from links as hop_1
    left join links as hop_2
        on hop_1.to_drug_code = hop_2.from_drug_code
    left join links as hop_3
        on hop_2.to_drug_code = hop_3.from_drug_code
    left join links as hop_4
        on hop_3.to_drug_code = hop_4.from_drug_code
    left join links as hop_5
        on hop_4.to_drug_code = hop_5.from_drug_code

)

select * from final

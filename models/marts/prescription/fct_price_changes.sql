{{ replaces_days(
    'month_start_date', changes='int_prescription__price_month_changes',
    looked_up_by=['change_type', 'drug_code'],
) }}
-- One row is a product whose price changed, or that left or came back, with a month's list, and
-- what that does to the spend of the month before.
{% set fewest = var('smallest_cell').inside %}
{% set is_told = 'spends.people is null or spends.people >= ' ~ fewest %}
with drugs as (

    select * from {{ ref('dim_drugs') }}

),

items as (

    select
        *,
        cast(
            {{ dbt.dateadd('month', 1, dbt.date_trunc('month', 'issued_date')) }} as date
        ) as next_month_date,
        coalesce(
            person_key, 'prescription ' || cast(prescription_id as {{ dbt.type_string() }})
        ) as taker_key
    from {{ ref('fct_prescription_items') }}
    where quantity is not null

),

versions as (

    select
        *,
        lag(valid_to) over product as prior_valid_to,
        lag(price_krw) over product as prior_price_krw,
        lag(drug_code) over product as prior_drug_code,
        lead(valid_from) over product as next_valid_from
    from drugs
    window product as (partition by drug_code order by valid_from nulls last)

),

changed as (

    select
        drug_code,
        valid_from as month_start_date,
        case
            when prior_valid_to < valid_from then 'relisted'
            when price_krw is null then 'unpriced'
            when prior_price_krw is null then 'priced'
            when price_krw < prior_price_krw then 'cut'
            else 'rise'
        end as change_type,
        prior_price_krw as old_price_krw,
        price_krw as new_price_krw,
        drug_name,
        company_name,
        ingredient4
    from versions
    where
        prior_drug_code is not null
        and (
            prior_valid_to < valid_from
            or coalesce(price_krw, -1) <> coalesce(prior_price_krw, -1)
        )

    union all

    select
        drug_code,
        valid_to as month_start_date,
        'delisted' as change_type,
        price_krw as old_price_krw,
        null as new_price_krw,
        drug_name,
        company_name,
        ingredient4
    from versions
    where valid_to is not null and (next_valid_from is null or next_valid_from > valid_to)

),

months as (

    select * from changed
    where {{ in_days_to_replace('month_start_date') }}

),

spends as (

    select
        months.drug_code,
        months.month_start_date,
        sum(items.quantity) as quantity,
        count(distinct items.taker_key) as people,
        max(items.load_id) as load_id
    from months
    inner join items
        on
        months.drug_code = items.drug_code
        and months.month_start_date = items.next_month_date
    group by months.drug_code, months.month_start_date

),

final as (

    select
        months.drug_code,
        months.month_start_date,
        months.change_type,
        months.old_price_krw,
        months.new_price_krw,
        months.new_price_krw - months.old_price_krw as change_krw,
        {{ ratio('months.new_price_krw - months.old_price_krw', 'months.old_price_krw') }}
            as change_rate,
        months.drug_name,
        months.company_name,
        months.ingredient4,
        cast(
            case when {{ is_told }} then coalesce(spends.quantity, 0) end
            as {{ dbt.type_numeric() }}
        ) as prior_month_quantity,
        cast(
            case
                when {{ is_told }}
                    then round(
                            coalesce(spends.quantity, 0)
                            * (months.new_price_krw - months.old_price_krw)
                        )
            end as {{ dbt.type_bigint() }}
        ) as spend_effect_krw,
        coalesce(spends.people < {{ fewest }}, false) as is_suppressed,
        cast(coalesce(spends.load_id, 0) as {{ dbt.type_bigint() }}) as load_id
    from months
    left join spends
        on
        months.drug_code = spends.drug_code
        and months.month_start_date = spends.month_start_date

)

select * from final

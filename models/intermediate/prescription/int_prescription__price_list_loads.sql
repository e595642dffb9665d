with prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}

),

prices as (

    select * from {{ ref('stg_hira__drug_prices') }}

),

issued_days as (

    select issued_date
    from prescriptions
    group by issued_date

),

-- deleted rows count too: a list that was taken back moves prices as well
lists as (

    select
        price_month,
        max(load_id) as load_id
    from prices
    group by price_month

),

-- which products are antibiotics is told of all days alike
atc_loads as (

    select max(load_id) as load_id from {{ ref('stg_hira__atc_codes') }}

),

-- A late list can split a version, which moves the start of what follows: every later day counts.
final as (

    select
        issued_days.issued_date,
        greatest(max(lists.load_id), coalesce(max(atc_loads.load_id), 0)) as load_id
    from issued_days
    inner join lists
        on lists.price_month <= issued_days.issued_date
    cross join atc_loads
    group by issued_days.issued_date

)

select * from final

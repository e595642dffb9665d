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

-- A late list can split a version, which moves the start of what follows: every later day counts.
final as (

    select
        issued_days.issued_date,
        max(lists.load_id) as load_id
    from issued_days
    inner join lists
        on lists.price_month <= issued_days.issued_date
    group by issued_days.issued_date

)

select * from final

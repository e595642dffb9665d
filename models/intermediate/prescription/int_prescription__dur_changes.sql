with item_changes as (

    select * from {{ ref('int_prescription__item_changes') }}

),

prescriptions as (

    select * from {{ ref('stg_app_db__prescriptions') }}

),

items as (

    select * from {{ ref('stg_app_db__prescription_items') }}

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

price_list_loads as (

    select * from {{ ref('int_prescription__price_list_loads') }}

),

rule_loads as (

    select max(load_id) as load_id from {{ ref('stg_mfds_dur__rules') }}

),

-- deleted rows count too
taken as (

    select
        prescriptions.prescription_id,
        coalesce(persons.person_key, prescriptions.member_key) as person_key,
        prescriptions.issued_date,
        greatest(prescriptions.load_id, coalesce(persons.load_id, 0)) as load_id
    from prescriptions
    left join persons
        on prescriptions.member_key = persons.member_key

),

changed as (

    select
        person_key,
        issued_date,
        load_id
    from taken

    union all

    select
        taken.person_key,
        taken.issued_date,
        items.load_id
    from items
    inner join taken
        on items.prescription_id = taken.prescription_id

),

final as (

    select
        issued_date,
        load_id
    from item_changes

    union all

    -- what people take can meet what is prescribed to them in the year after
    select
        taken.issued_date,
        changed.load_id
    from changed
    inner join taken
        on
        changed.person_key = taken.person_key
        and changed.issued_date < taken.issued_date
        and {{ add_days('changed.issued_date', 365) }} >= taken.issued_date

    union all

    -- lists of rules hold for all days
    select
        price_list_loads.issued_date,
        rule_loads.load_id
    from price_list_loads
    cross join rule_loads
    where rule_loads.load_id is not null

)

select * from final

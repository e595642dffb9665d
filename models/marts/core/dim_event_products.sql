-- One row is an event product as it is now.

with products as (

    select *
    from {{ ref('stg_app_db__event_products') }}
    where not is_deleted

),

categories as (

    select * from {{ ref('event_categories') }}

),

hospitals as (

    select *
    from {{ ref('dim_hospitals') }}
    where is_current

),

hospital_versions as (

    select *
    from {{ ref('int_core__hospital_versions') }}
    where valid_to is null

),

final as (

    select
        products.event_product_id,
        products.hospital_id,
        products.title,
        products.category,
        -- what nobody has judged yet is treated with care
        coalesce(categories.is_sensitive, true) as is_sensitive,

        hospitals.sido_code,
        hospitals.sido_name_ko,

        products.price_krw,
        products.application_fee_krw,
        products.starts_date,
        products.ends_date,

        greatest(products.load_id, coalesce(hospital_versions.load_id, 0)) as load_id
    from products
    left join categories
        on products.category = categories.category
    left join hospitals
        on products.hospital_id = hospitals.hospital_id
    left join hospital_versions
        on products.hospital_id = hospital_versions.hospital_id

)

select * from final

with source as (

    select * from {{ source('raw_app_db', 'event_products') }}

),

renamed as (

    select
        id as event_product_id,
        hospital_id,

        trim(title) as title,
        trim(category) as category,
        price as price_krw,
        application_fee as application_fee_krw,
        trim(ad_review_no) as ad_review_no,
        ad_review_expires as ad_review_expires_date,
        starts_on as starts_date,
        ends_on as ends_date,

        created_at,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

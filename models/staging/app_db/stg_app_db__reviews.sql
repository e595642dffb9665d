with source as (

    select * from {{ source('raw_app_db', 'reviews') }}

),

renamed as (

    select
        id as review_id,
        member_id as member_key,
        hospital_id,
        reception_id,
        event_product_id,

        rating,
        coalesce(length(text), 0) as text_length,
        coalesce(length(text), 0) > 0 as has_text,
        coalesce(upper(trim(hidden_yn)) = 'Y', false) as is_hidden,
        coalesce(photo_count, 0) as photo_count,
        coalesce(helpful_count, 0) as helpful_count,
        coalesce(unhelpful_count, 0) as unhelpful_count,

        written_at,
        created_at,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

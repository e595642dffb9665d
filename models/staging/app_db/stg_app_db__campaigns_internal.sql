with source as (

    select * from {{ source('raw_app_db', 'campaigns_internal') }}

),

renamed as (

    select
        id as campaign_internal_id,

        lower(trim(campaign)) as campaign,
        lower(trim(medium)) as medium,
        trim(media_campaign_id) as media_campaign_id,

        created_at,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

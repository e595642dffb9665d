with source as (

    select
        *,
        _deleted_at is not null as is_deleted
    from {{ source('raw_app_db', 'event_leads') }}

),

renamed as (

    select
        id as event_lead_id,
        event_product_id,
        member_id as member_key,

        nullif(lower(trim(campaign)), '') as campaign,
        status as source_status,

        created_at,
        {{ kst_date('created_at') }} as created_date,
        updated_at,

        is_deleted,
        lag(created_at) over (
            partition by member_id, event_product_id, is_deleted
            order by created_at nulls last, id nulls last
        ) as previous_created_at,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

),

final as (

    select
        event_lead_id,
        event_product_id,
        member_key,

        campaign,
        source_status,

        created_at,
        created_date,
        updated_at,

        is_deleted,
        -- a second tap on the button within a minute; leads without a member can't be told apart
        coalesce(
            not is_deleted
            and member_key is not null
            and created_at <= cast(
                {{ dbt.dateadd('second', 60, 'previous_created_at') }} as {{ dbt.type_timestamp() }}
            ),
            false
        ) as is_repeat,
        load_id,
        extracted_at
    from renamed

)

select * from final

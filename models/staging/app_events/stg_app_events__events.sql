with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('occurred_at') }} as occurred_date
    from {{ source('raw_app_events', 'events') }}

),

renamed as (

    select
        event_id,
        user_pseudo_id as visitor_key,
        member_id as member_key,
        hospital_id,
        event_product_id,

        lower(trim(event_name)) as event_name,
        trim(screen) as screen,
        lower(trim(platform)) as platform,
        trim(app_version) as app_version,
        lower(trim(utm_source)) as utm_source,
        lower(trim(utm_medium)) as utm_medium,
        lower(trim(utm_campaign)) as utm_campaign,
        trim(click_id) as click_id,
        case when trim(click_id) <> '' then lower(trim(click_id_name)) end as click_id_name,
        nullif(lower(trim(referrer)), '') as referrer_host,
        coalesce(length(payload), 0) as payload_length,
        coalesce(length(payload), 0) > 0 as has_payload,

        occurred_at,
        occurred_date,
        received_at,

        is_deleted,
        -- instant and date stand in the partition so that filters on them reach the raw rows
        not is_deleted and row_number() over (
            partition by event_id, occurred_at, occurred_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

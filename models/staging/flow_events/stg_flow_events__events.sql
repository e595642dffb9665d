with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('occurred_at') }} as occurred_date
    from {{ source('raw_flow_events', 'events') }}

),

renamed as (

    select
        event_id,
        entity_id,

        lower(trim(entity)) as entity,
        lower(trim(event_type)) as event_type,
        lower(trim(actor)) as actor,
        coalesce(length(payload), 0) as payload_length,
        coalesce(length(payload), 0) > 0 as has_payload,

        occurred_at,
        occurred_date,
        received_at,

        is_deleted,
        -- case and time stand in the partition so that a filter on them reaches the raw rows
        not is_deleted and row_number() over (
            partition by event_id, entity_id, occurred_at, occurred_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed

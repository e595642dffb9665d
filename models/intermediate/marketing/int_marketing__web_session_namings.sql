{{ replaces_days(
    'named_date', changes='int_marketing__web_session_days', looked_up_by=['visitor_key'],
) }}
-- Grain: one row is an event at which a device named another member than before on that day.

with events as (

    select
        event_id,
        visitor_key,
        member_key,
        occurred_at as named_at,
        occurred_date as named_date,
        load_id
    from {{ ref('int_marketing__web_events') }}
    where member_key is not null
        and {{ in_days_to_replace('occurred_date', instant='occurred_at') }}

),

ordered as (

    select
        *,
        lag(member_key) over (
            partition by visitor_key, named_date
            order by named_at nulls last, event_id nulls last
        ) as member_key_before
    from events

),

final as (

    select
        event_id,
        visitor_key,
        member_key,
        named_at,
        named_date,
        load_id
    from ordered
    where member_key_before is null or member_key_before <> member_key

)

select * from final

{{ config(materialized='table') }}
-- Whom a device's events belong to, and when. Grain: one row is a span of time of a device.

with namings as (

    select
        *,
        lag(member_key) over (
            partition by visitor_key order by named_at nulls last, event_id nulls last
        ) as member_key_before
    from {{ ref('int_marketing__web_session_namings') }}

),

member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

spans as (

    select
        visitor_key,
        member_key as named_member_key,
        named_at,
        -- who is the first to be named was there before, by thirty days at most
        cast(
            case
                when member_key_before is null then {{ dbt.dateadd('day', -30, 'named_at') }}
                else {{ dbt.dateadd('day', 0, 'named_at') }}
            end as {{ dbt.type_timestamp() }}
        ) as valid_from,
        lead(named_at) over (
            partition by visitor_key order by named_at nulls last, event_id nulls last
        ) as valid_to
    from namings
    where member_key_before is null or member_key_before <> member_key

),

final as (

    select
        spans.visitor_key,
        coalesce(member_merges.surviving_member_key, spans.named_member_key) as member_key,
        spans.named_member_key,
        spans.named_at,
        spans.valid_from,
        spans.valid_to
    from spans
    left join member_merges
        on spans.named_member_key = member_merges.from_member_key
    -- two named in one instant: the last holds from there
    where spans.valid_to is null or spans.valid_to > spans.valid_from

)

select * from final

-- Every valid event of a visitor is in exactly one session, robots' events included.
with counted as (

    select
        visitor_key,
        count(*) as event_count
    from {{ ref('int_marketing__web_events') }}
    group by visitor_key
    union all
    select
        visitor_key,
        -sum(event_count) as event_count
    from {{ ref('fct_web_sessions') }}
    group by visitor_key

),

final as (

    select
        visitor_key,
        sum(event_count) as unaccounted_count
    from counted
    group by visitor_key
    having sum(event_count) <> 0

)

select * from final

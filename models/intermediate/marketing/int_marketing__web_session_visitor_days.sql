{{ config(materialized='table') }}
-- What the facts of sessions and touches haven't seen, by visitor and day, with the other days of
-- these visitors that may change with it. It is made anew each time, since only so can literals
-- tell how far back events are to be read.
{% set seen = oldest_watermark('int_marketing__web_session_visitor_days') %}
{# thirty days before a naming, and the three by which a session may start earlier #}
{% set first_days %}
    select cast(min(first_date) as {{ dbt.type_string() }}) as first_day
    from (
        select {{ add_days('named_date', -33) }} as first_date
        from {{ ref('int_marketing__web_session_days') }}
        where load_id > {{ seen }}
        union all
        select {{ add_days(kst_date('spans.valid_from'), -3) }} as first_date
        from {{ ref('int_marketing__visitor_members') }} as spans
        inner join {{ ref('int_marketing__web_session_merges') }} as member_merges
            on spans.named_member_key = member_merges.named_member_key
        where member_merges.load_id > {{ seen }}
    ) as first_dates
{% endset %}
{% set since = run_query(first_days).rows[0][0] if seen else none %}

-- deleted ones too: where one was is a place of change
with events as (

    select
        *,
        load_id > {{ seen }} as is_change,
        load_id > {{ seen }} and member_key is not null as is_naming_change
    from {{ ref('stg_app_events__events') }}
    where visitor_key is not null
        {% if since -%}
            and occurred_date >= cast('{{ since }}' as date)
            and occurred_at >= cast('{{ spans([since])[0].start }}' as timestamp)
        {%- else -%}
            and false
        {%- endif %}

),

namings as (

    select * from {{ ref('int_marketing__web_session_namings') }}
    where load_id <= {{ seen }}
        and {{ "named_date >= cast('" ~ since ~ "' as date)" if since else 'false' }}

),

visitor_members as (

    select * from {{ ref('int_marketing__visitor_members') }}

),

member_merges as (

    select * from {{ ref('int_marketing__web_session_merges') }}
    where load_id > {{ seen }}

),

visitors as (

    select visitor_key
    from events
    where is_change
    union distinct
    select visitor_members.visitor_key
    from visitor_members
    inner join member_merges
        on visitor_members.named_member_key = member_merges.named_member_key

),

visitor_days as (

    select
        events.visitor_key,
        events.occurred_date,
        min(events.occurred_at) as first_at,
        max(events.occurred_at) as last_at,
        max(case when events.is_change then events.load_id end) as changed_load_id,
        min(case when events.is_naming_change then events.occurred_at end) as first_naming_at,
        max(case when events.is_naming_change then events.occurred_at end) as last_naming_at
    from events
    inner join visitors
        on events.visitor_key = visitors.visitor_key
    group by events.visitor_key, events.occurred_date

),

-- a naming holds until the next one that was there before
next_namings as (

    select
        visitor_days.visitor_key,
        visitor_days.occurred_date,
        min(namings.named_date) as next_named_date
    from visitor_days
    inner join namings
        on visitor_days.visitor_key = namings.visitor_key
        and visitor_days.last_naming_at < namings.named_at
    group by visitor_days.visitor_key, visitor_days.occurred_date

),

final as (

    select
        visitor_days.visitor_key,
        visitor_days.occurred_date,
        visitor_days.first_at,
        visitor_days.last_at,
        visitor_days.first_naming_at,
        next_namings.next_named_date,
        visitor_days.changed_load_id
    from visitor_days
    left join next_namings
        on visitor_days.visitor_key = next_namings.visitor_key
        and visitor_days.occurred_date = next_namings.occurred_date

)

select * from final

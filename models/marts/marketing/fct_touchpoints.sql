{{ replaces_days(
    'touch_date', changes='int_marketing__touch_changes',
    looked_up_by=['person_key', 'session_id', 'campaign', 'touch_id'],
) }}
-- Grain: one row is the first time in a session that a channel, medium and campaign was told.
{# A touch may stand three days after its session's start. #}
{% set days = [] %}
{% for day in (days_to_replace() if is_incremental() else []) %}
    {% for n in range(-3, 1) %}
        {% set near = modules.datetime.date.fromisoformat(day) %}
        {% do days.append((near + modules.datetime.timedelta(days=n)).isoformat()) %}
    {% endfor %}
{% endfor %}
{% set days = days | unique | sort %}

with sessions as (

    select *
    from {{ ref('fct_web_sessions') }}
    where not is_quarantined
        and {{ day_in('session_date', days) if is_incremental() else 'true' }}

),

events as (

    select *
    from {{ ref('int_marketing__web_events') }}
    where match_type <> 'none'
        and {{
            day_in('occurred_date', days, instant='occurred_at') if is_incremental() else 'true'
        }}

),

visitor_members as (

    select * from {{ ref('int_marketing__visitor_members') }}

),

told as (

    select
        sessions.session_id,
        sessions.visitor_key,
        sessions.load_id,
        events.occurred_at as touched_at,
        events.occurred_date as touch_date,
        events.channel,
        events.medium,
        events.campaign,
        events.match_type,
        row_number() over (
            partition by
                sessions.session_id, events.channel, events.medium, events.campaign
            order by events.occurred_at nulls last, events.event_id nulls last
        ) as telling_no
    from sessions
    inner join events
        on sessions.visitor_key = events.visitor_key
        and events.occurred_at >= sessions.started_at
        and events.occurred_at <= sessions.ended_at

),

touches as (

    select
        session_id,
        visitor_key,
        load_id,
        touched_at,
        touch_date,
        channel,
        medium,
        campaign,
        match_type
    from told
    where telling_no = 1
        and {{ in_days_to_replace('touch_date') }}
    union all
    -- a session of which nothing tells where it came from
    select
        session_id,
        visitor_key,
        load_id,
        started_at as touched_at,
        session_date as touch_date,
        channel,
        medium,
        campaign,
        match_type
    from sessions
    where match_type = 'none'
        and {{ in_days_to_replace('session_date') }}

),

final as (

    select
        {{ surrogate_key([
            'touches.session_id', 'touches.channel', 'touches.medium', 'touches.campaign',
        ]) }} as touch_id,
        touches.session_id,
        touches.touch_date,
        touches.touched_at,
        touches.visitor_key,
        visitor_members.member_key,
        coalesce(visitor_members.member_key, touches.visitor_key) as person_key,
        touches.channel,
        touches.medium,
        touches.campaign,
        touches.match_type,
        touches.channel = 'direct' as is_direct,
        touches.load_id
    from touches
    left join visitor_members
        on touches.visitor_key = visitor_members.visitor_key
        and touches.touched_at >= visitor_members.valid_from
        and (visitor_members.valid_to is null or touches.touched_at < visitor_members.valid_to)

)

select * from final

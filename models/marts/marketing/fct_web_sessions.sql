{{ replaces_days(
    'session_date', changes='int_marketing__web_session_changes',
    looked_up_by=['visitor_key', 'member_key', 'campaign', 'session_id'],
) }}
-- Grain: one row is a visit: a visitor's events without a pause of more than 30 minutes.
{# Four days before show where a session starts, and it ends within the three days after. #}
{% set days = [] %}
{% for day in (days_to_replace() if is_incremental() else []) %}
    {% for n in range(-4, 4) %}
        {% set near = modules.datetime.date.fromisoformat(day) %}
        {% do days.append((near + modules.datetime.timedelta(days=n)).isoformat()) %}
    {% endfor %}
{% endfor %}
{% set pause_ends_at = dbt.dateadd('minute', 30, 'previous_at') %}
{% set burst_ends_at = dbt.dateadd('second', 60, 'burst_started_at') %}
{% set timestamp = dbt.type_timestamp() %}
{% set in_order = 'order by occurred_at nulls last, event_id nulls last' %}

with events as (

    select *
    from {{ ref('int_marketing__web_events') }}
    where {{
        day_in('occurred_date', days | unique | sort, instant='occurred_at')
        if is_incremental() else 'true'
    }}

),

visitor_members as (

    select * from {{ ref('int_marketing__visitor_members') }}

),

ordered as (

    select
        *,
        lag(occurred_at) over (partition by visitor_key {{ in_order }}) as previous_at
    from events

),

gaps as (

    select
        *,
        previous_at is null or cast({{ pause_ends_at }} as {{ timestamp }}) < occurred_at as is_gap,
        {{ kst_date('previous_at') }} < occurred_date as is_first_of_day
    from ordered

),

runs as (

    select
        *,
        max(case when is_gap then occurred_date end) over (
            partition by visitor_key {{ in_order }}
            rows between unbounded preceding and current row
        ) as run_date
    from gaps

),

-- whoever never pauses is cut at midnight after three whole days: else a day depended on all others
starts as (

    select
        *,
        {{ add_days('run_date', 3) }} < occurred_date as is_endless,
        is_gap or (is_first_of_day and {{ add_days('run_date', 3) }} < occurred_date) as is_start
    from runs

),

numbered as (

    select
        *,
        sum(case when is_start then 1 else 0 end) over (
            partition by visitor_key {{ in_order }}
            rows between unbounded preceding and current row
        ) as session_no
    from starts

),

placed as (

    select
        *,
        row_number() over (partition by visitor_key, session_no {{ in_order }}) as event_no,
        count(*) over (partition by visitor_key, session_no) as event_count,
        lag(occurred_at, 600) over (partition by visitor_key, session_no {{ in_order }})
            as burst_started_at
    from numbered

),

touched as (

    select
        *,
        row_number() over (
            partition by visitor_key, session_no, match_type <> 'none' {{ in_order }}
        ) as touch_no
    from placed

),

sessions as (

    select
        visitor_key,
        session_no,
        {% for column in ['event_id', 'platform', 'app_version', 'occurred_date'] %}
            max(case when event_no = 1 then {{ column }} end) as first_{{ column }},
        {% endfor %}
        max(case when event_no = 1 then screen end) as entry_screen,
        max(case when event_no = event_count then screen end) as exit_screen,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        max(event_count) as event_count,
        count(distinct screen) as screen_count,
        {% for name, counted in {
            'product_view': 'view_event_product', 'apply_start': 'apply_start',
            'apply_complete': 'apply_complete', 'booking_complete': 'booking_complete',
        }.items() %}
            sum(case when event_name = '{{ counted }}' then 1 else 0 end) as {{ name }}_count,
        {% endfor %}
        {% for column in ['channel', 'medium', 'campaign', 'match_type'] %}
            max(
                case when match_type <> 'none' and touch_no = 1 then {{ column }} end
            ) as {{ column }},
        {% endfor %}
        max(case when is_endless then 1 else 0 end) = 1 as is_endless,
        max(
            case when cast({{ burst_ends_at }} as {{ timestamp }}) >= occurred_at then 1 else 0 end
        ) = 1 as has_burst,
        max(load_id) as load_id
    from touched
    group by visitor_key, session_no

),

judged as (

    select
        *,
        case
            when is_endless
                or cast({{ dbt.dateadd('day', 3, 'started_at') }} as {{ timestamp }}) < ended_at
                then 'over_3_days'
            when event_count > 10000 then 'over_10000_events'
            when has_burst then 'over_600_events_a_minute'
        end as quarantine_reason
    from sessions
    where {{ in_days_to_replace('first_occurred_date') }}

),

final as (

    select
        {{ surrogate_key(['judged.visitor_key', 'judged.first_event_id']) }} as session_id,
        judged.first_occurred_date as session_date,
        judged.started_at,
        judged.ended_at,
        {{ seconds_between('judged.started_at', 'judged.ended_at') }} as duration_seconds,
        judged.visitor_key,
        visitor_members.member_key,
        coalesce(visitor_members.member_key, judged.visitor_key) as person_key,
        judged.first_platform as platform,
        judged.first_app_version as app_version,
        judged.entry_screen,
        judged.exit_screen,
        {% for counted in [
            'event', 'screen', 'product_view', 'apply_start', 'apply_complete', 'booking_complete',
        ] %}
            cast(judged.{{ counted }}_count as {{ dbt.type_bigint() }}) as {{ counted }}_count,
        {% endfor %}
        coalesce(judged.channel, 'direct') as channel,
        judged.medium,
        judged.campaign,
        coalesce(judged.match_type, 'none') as match_type,
        judged.quarantine_reason is not null as is_quarantined,
        judged.quarantine_reason,
        judged.load_id
    from judged
    -- a session is whose its last event is
    left join visitor_members
        on judged.visitor_key = visitor_members.visitor_key
        and judged.ended_at >= visitor_members.valid_from
        and (visitor_members.valid_to is null or judged.ended_at < visitor_members.valid_to)

)

select * from final

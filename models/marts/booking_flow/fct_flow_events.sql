{{ replaces_days(
    'occurred_date', changes='int_booking_flow__event_changes',
    looked_up_by=['entity_id', 'hospital_id', 'case_id', 'event_id'],
) }}
-- One row is a valid event of a case, with its place in the case; the last one tells how it went.
{% set in_days = in_days_to_replace('occurred_date', instant='occurred_at') %}
{% set ids_in_days %}
    select entity_id as id from {{ ref('int_booking_flow__events_unified') }} where {{ in_days }}
{% endset %}
{% set among_cases = among_ids('entity_id', ids_in_days) if is_incremental() else 'true' %}

-- a place in the case needs the whole case, whatever the days of its other events
with deliveries as (

    select * from {{ ref('int_booking_flow__events_unified') }}
    where entity_id is null or {{ among_cases }}

),

case_places as (

    select * from {{ ref('int_booking_flow__case_places') }}
    where {{ among_cases }}

),

transitions as (

    select * from {{ ref('flow_transitions') }}

),

known_logs as (

    select event_log
    from transitions
    group by event_log

),

cases as (

    select
        event_log,
        case_id
    from deliveries
    where {{ in_days }}
    group by event_log, case_id

),

events as (

    select
        deliveries.event_id,
        deliveries.event_log,
        deliveries.case_id,
        deliveries.entity_id,
        deliveries.activity,
        deliveries.tie_breaker,
        deliveries.is_terminal,
        deliveries.occurred_at,
        deliveries.occurred_date,
        min(deliveries.actor) as actor,
        min(deliveries.received_at) as received_at,
        count(*) as delivery_count,
        max(deliveries.load_id) as load_id
    from deliveries
    inner join cases
        on
        deliveries.event_log = cases.event_log
        and deliveries.case_id = cases.case_id
    group by
        deliveries.event_id,
        deliveries.event_log,
        deliveries.case_id,
        deliveries.entity_id,
        deliveries.activity,
        deliveries.tie_breaker,
        deliveries.is_terminal,
        deliveries.occurred_at,
        deliveries.occurred_date

),

sequenced as (

    select
        *,
        row_number() over in_order as sequence_no,
        coalesce(lag(activity) over in_order, '(start)') as prior_activity,
        lag(occurred_at) over in_order as prior_at
    from events
    window
        in_order as (
            partition by event_log, case_id
            order by occurred_at nulls last, tie_breaker nulls last, event_id nulls last
        )

),

judged as (

    select
        sequenced.*,
        case when known_logs.event_log is not null then transitions.event_log is not null end
            as is_allowed,
        row_number() over (
            partition by sequenced.event_log, sequenced.case_id, sequenced.activity
            order by sequenced.sequence_no nulls last
        ) > 1 as is_rework
    from sequenced
    left join known_logs
        on sequenced.event_log = known_logs.event_log
    left join transitions
        on
        sequenced.event_log = transitions.event_log
        and sequenced.prior_activity = transitions.from_activity
        and sequenced.activity = transitions.to_activity

),

traces as (

    select
        event_log,
        case_id,
        count(*) as event_count,
        count(*) - count(distinct activity) as rework_count,
        string_agg(activity, ' > ' order by sequence_no) as variant,
        min(occurred_at) as started_at,
        sum(case when not is_allowed then 1 when is_allowed then 0 end) as illegal_count,
        max(load_id) as load_id
    from judged
    group by event_log, case_id

),

final as (

    select
        judged.event_id,
        judged.event_log,
        judged.case_id,
        judged.entity_id,
        case_places.hospital_id,
        cast(judged.sequence_no as {{ dbt.type_bigint() }}) as sequence_no,
        judged.activity,
        judged.tie_breaker,
        judged.actor,
        judged.is_terminal,
        judged.sequence_no = traces.event_count as is_last,
        judged.occurred_at,
        judged.occurred_date,
        judged.received_at,
        {{ seconds_between('judged.occurred_at', 'judged.received_at') }} as delivery_seconds,
        cast(judged.delivery_count as {{ dbt.type_bigint() }}) as delivery_count,
        judged.prior_activity,
        {{ seconds_between('judged.prior_at', 'judged.occurred_at') }} as seconds_since_prior,
        judged.is_allowed,
        judged.is_rework,
        {% for value, name in [
            ('traces.variant', 'case_variant'),
            (seconds_between('traces.started_at', 'judged.occurred_at'), 'case_seconds'),
            ('traces.illegal_count = 0', 'is_conforming'),
            ('cast(traces.rework_count as ' ~ dbt.type_bigint() ~ ')', 'case_rework_count'),
        ] %}
            case when judged.sequence_no = traces.event_count then {{ value }} end as {{ name }},
        {% endfor %}
        case
            when case_places.load_id > traces.load_id then case_places.load_id
            else traces.load_id
        end as load_id
    from judged
    inner join traces
        on
        judged.event_log = traces.event_log
        and judged.case_id = traces.case_id
    left join case_places
        on
        judged.event_log = case_places.event_log
        and judged.entity_id = case_places.entity_id
    where {{ in_days_to_replace('judged.occurred_date') }}

)

select * from final

{{ config(materialized='table') }}
-- The days whose events the facts of flows haven't seen as they are now. A load that touches a case
-- may renumber it, so all days on which the case has events change with it: days of long ago are
-- found by the case's number, not by reading what lies between.
{% set seen = oldest_watermark('int_booking_flow__event_changes') %}
{% set touched_ids %}
    select entity_id as id from {{ ref('stg_flow_events__events') }} where load_id > {{ seen }}
    union all
    select entity_id as id from {{ ref('int_booking_flow__case_places') }} where load_id > {{ seen }}
{% endset %}

-- deleted ones too: where one was is a place of change
with deliveries as (

    select * from {{ ref('stg_flow_events__events') }}
    where {{ among_ids('entity_id', touched_ids) if seen else 'false' }}

),

-- the clinic of an event stands in the row of its booking or reception
case_places as (

    select * from {{ ref('int_booking_flow__case_places') }}
    where load_id > {{ seen }}

),

-- logs of others come as files of months, and their cases by no number in time
log_events as (

    select * from {{ ref('stg_event_logs__events') }}
    where {{ seen > 0 }}

),

log_cases as (

    select distinct
        event_log,
        case_id,
        load_id
    from log_events
    where load_id > {{ seen }}

),

touched as (

    select
        entity as event_log,
        entity_id,
        load_id
    from deliveries
    where load_id > {{ seen }}

    union distinct

    select
        event_log,
        entity_id,
        load_id
    from case_places

),

final as (

    select
        deliveries.occurred_date,
        touched.load_id
    from touched
    inner join deliveries
        on
        touched.event_log = deliveries.entity
        and touched.entity_id = deliveries.entity_id

    union distinct

    select
        log_events.occurred_date,
        log_cases.load_id
    from log_cases
    inner join log_events
        on
        log_cases.event_log = log_events.event_log
        and log_cases.case_id = log_events.case_id

)

select * from final

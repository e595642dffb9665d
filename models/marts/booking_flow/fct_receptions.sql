{{ replaces_days(
    'created_date', changes='int_booking_flow__reception_changes',
    looked_up_by=['hospital_id', 'member_key', 'booking_id', 'reception_id'],
) }}
-- One row is a reception (접수), with each milestone from request to end.
{% set seconds_late = seconds_between('milestones.requested_at', 'receptions.requested_at') %}
{% set in_days = in_days_to_replace('created_date') %}
{% set ids = 'select reception_id id from ' ~ ref('stg_app_db__receptions') ~ ' where ' ~ in_days %}

with receptions as (

    select * from {{ ref('stg_app_db__receptions') }}
    where not is_deleted and {{ in_days }}

),

statuses as (

    select * from {{ ref('reception_statuses') }}

),

deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}
    where entity = 'reception'
        and {{ among_ids('entity_id', ids) if is_incremental() else 'true' }}

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

rules as (

    select max(case setting when 'after_call_queue_limit' then value end) as after_call_limit
    from {{ ref('penalty_rules') }}

),

milestones as (

    select
        deliveries.entity_id as reception_id,
        {% for step in [
            'requested', 'accepted', 'rejected', 'sync_failed', 'waiting',
            'called', 'in_treatment', 'completed', 'expired_day_end',
        ] %}
            min(case when deliveries.event_type = '{{ step }}' then deliveries.occurred_at end)
                as {{ step }}_at,
        {% endfor %}
        min(
            case
                when
                    deliveries.event_type in (
                        'cancelled_patient', 'cancelled_hospital', 'auto_cancelled_absent'
                    )
                    then deliveries.occurred_at
            end
        ) as cancelled_at,
        max(deliveries.load_id) as load_id
    from deliveries
    inner join receptions
        on deliveries.entity_id = receptions.reception_id
    group by deliveries.entity_id

),

-- some old rows hold Korean local time as if it were UTC; without the event there is no telling
judged as (

    select
        receptions.*,
        case
            when abs({{ seconds_late }} - 32400) <= 60 then -9
            else 0
        end as hours_off,
        -- the day of the row is by its creation, which the database itself notes
        count(*) over (
            partition by receptions.hospital_id, receptions.created_date, receptions.queue_no
        ) as queue_no_count,
        max(receptions.load_id) over (
            partition by receptions.hospital_id, receptions.created_date, receptions.queue_no
        ) as queue_load_id
    from receptions
    left join milestones
        on receptions.reception_id = milestones.reception_id

),

timed as (

    select
        judged.*,
        coalesce(persons.person_key, judged.member_key) as person_key,
        coalesce(statuses.status, 'unmapped') as status,
        coalesce(statuses.status_group, 'unmapped') as status_group,
        coalesce(statuses.is_terminal, false) as is_final_status,
        statuses.fhir_status,
        coalesce(statuses.fhir_encounter_status, 'unknown') as fhir_encounter_status,
        {% for step, column in {
            'requested': 'requested', 'accepted': 'accepted', 'called': 'called',
            'in_treatment': 'started', 'completed': 'completed', 'cancelled': 'cancelled',
        }.items() %}
            coalesce(milestones.{{ step }}_at, cast({{ dbt.dateadd(
                'hour', 'judged.hours_off', 'judged.' ~ column ~ '_at'
            ) }} as {{ dbt.type_timestamp() }})) as {{ step }}_time,
        {% endfor %}
        milestones.rejected_at,
        milestones.sync_failed_at,
        milestones.waiting_at,
        milestones.expired_day_end_at,
        greatest(
            case when judged.queue_no is null then judged.load_id else judged.queue_load_id end,
            coalesce(milestones.load_id, 0),
            coalesce(persons.load_id, 0)
        ) as newest_load_id
    from judged
    left join milestones
        on judged.reception_id = milestones.reception_id
    left join statuses
        on lower(trim(judged.source_status)) = statuses.source_status
    left join persons
        on judged.member_key = persons.member_key

),

final as (

    select
        {% for column in [
            'reception_id', 'created_date', 'booking_id', 'member_key', 'person_key', 'hospital_id',
            'device_id', 'department_code', 'channel', 'queue_no', 'source_status', 'status',
            'status_group', 'fhir_status', 'fhir_encounter_status',
        ] %}
            timed.{{ column }},
        {% endfor %}
        case timed.status
            when 'cancelled_patient' then 'patient'
            when 'cancelled_hospital' then 'hospital'
            when 'auto_cancelled_absent' then 'system'
        end as cancel_party,
        timed.cancel_reason,
        case
            when timed.status <> 'auto_cancelled_absent' then null
            when timed.queue_no <= rules.after_call_limit then 'after_call'
            when timed.queue_no > rules.after_call_limit then 'at_turn'
        end as auto_cancel_rule,
        {% for step in [
            'requested', 'accepted', 'called', 'in_treatment', 'completed', 'cancelled',
        ] %}
            timed.{{ step }}_time as {{ step }}_at,
        {% endfor %}
        timed.rejected_at,
        timed.sync_failed_at,
        timed.waiting_at,
        timed.expired_day_end_at as expired_at,
        cast(
            case
                when
                    timed.status in ('in_treatment', 'completed')
                    and timed.in_treatment_time >= timed.accepted_time
                    then {{ seconds_between('timed.accepted_time', 'timed.in_treatment_time') }}
            end as {{ dbt.type_bigint() }}
        ) as wait_seconds,
        cast(
            case
                when timed.status = 'completed' and timed.completed_time >= timed.requested_time
                    then {{ seconds_between('timed.requested_time', 'timed.completed_time') }}
            end as {{ dbt.type_bigint() }}
        ) as throughput_seconds,
        timed.booking_id is not null as is_booked,
        coalesce(timed.channel in ('tablet', 'kiosk', 'app_reception'), false) as is_self_check_in,
        timed.status = 'completed' as is_completed,
        timed.status = 'completed' and timed.called_time is null as is_completed_without_call,
        timed.status in ('cancelled_patient', 'cancelled_hospital') as is_cancelled,
        timed.status = 'auto_cancelled_absent' as is_auto_cancelled,
        timed.status in ('cancelled_patient', 'auto_cancelled_absent') as is_penalty_counted,
        timed.queue_no is not null and timed.queue_no_count > 1 as is_queue_no_repeated,
        timed.hours_off <> 0 as is_nine_hours_off,
        coalesce(
            timed.accepted_time < timed.requested_time
            or timed.called_time < timed.accepted_time
            or timed.in_treatment_time < timed.accepted_time
            or timed.in_treatment_time < timed.called_time
            or timed.completed_time < timed.in_treatment_time,
            false
        ) as is_out_of_order,
        timed.is_final_status as is_terminal,
        timed.newest_load_id as load_id
    from timed
    -- one row
    cross join rules

)

select * from final

{{ replaces_days(
    'created_date', changes='int_booking_flow__reception_changes',
    looked_up_by=['hospital_id', 'member_key', 'booking_id', 'reception_id'],
) }}
-- One row is a reception (접수), with each milestone from request to end.

with receptions as (

    select * from {{ ref('stg_app_db__receptions') }}
    where not is_deleted and {{ in_days_to_replace('created_date') }}

),

statuses as (

    select * from {{ ref('reception_statuses') }}

),

deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}
    where entity = 'reception'

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

timed as (

    select
        receptions.reception_id,
        receptions.created_date,
        receptions.booking_id,
        receptions.member_key,
        receptions.hospital_id,
        receptions.device_id,
        receptions.department_code,
        receptions.channel,
        receptions.queue_no,
        receptions.source_status,
        coalesce(statuses.status, 'unmapped') as status,
        coalesce(statuses.status_group, 'unmapped') as status_group,
        coalesce(statuses.is_terminal, false) as is_terminal,
        statuses.fhir_status,
        receptions.cancel_reason,
        coalesce(milestones.requested_at, receptions.requested_at) as requested_at,
        coalesce(milestones.accepted_at, receptions.accepted_at) as accepted_at,
        milestones.rejected_at,
        milestones.sync_failed_at,
        milestones.waiting_at,
        coalesce(milestones.called_at, receptions.called_at) as called_at,
        coalesce(milestones.in_treatment_at, receptions.started_at) as in_treatment_at,
        coalesce(milestones.completed_at, receptions.completed_at) as completed_at,
        coalesce(milestones.cancelled_at, receptions.cancelled_at) as cancelled_at,
        milestones.expired_day_end_at as expired_at,
        case
            when milestones.load_id > receptions.load_id then milestones.load_id
            else receptions.load_id
        end as load_id
    from receptions
    left join milestones
        on receptions.reception_id = milestones.reception_id
    left join statuses
        on lower(trim(receptions.source_status)) = statuses.source_status

),

final as (

    select
        reception_id,
        created_date,
        booking_id,
        member_key,
        hospital_id,
        device_id,
        department_code,
        channel,
        queue_no,
        source_status,
        status,
        status_group,
        fhir_status,
        case status
            when 'cancelled_patient' then 'patient'
            when 'cancelled_hospital' then 'hospital'
            when 'auto_cancelled_absent' then 'system'
        end as cancel_party,
        cancel_reason,
        requested_at,
        accepted_at,
        rejected_at,
        sync_failed_at,
        waiting_at,
        called_at,
        in_treatment_at,
        completed_at,
        cancelled_at,
        expired_at,
        cast(
            case
                when status in ('in_treatment', 'completed') and in_treatment_at >= accepted_at
                    then {{ seconds_between('accepted_at', 'in_treatment_at') }}
            end as {{ dbt.type_bigint() }}
        ) as wait_seconds,
        booking_id is not null as is_booked,
        coalesce(channel in ('tablet', 'kiosk', 'app_reception'), false) as is_self_check_in,
        status = 'completed' as is_completed,
        status in ('cancelled_patient', 'cancelled_hospital') as is_cancelled,
        status = 'auto_cancelled_absent' as is_auto_cancelled,
        -- reception apps block the rest of the day after three of these
        status in ('cancelled_patient', 'auto_cancelled_absent') as is_penalty_counted,
        coalesce(
            accepted_at < requested_at
            or called_at < accepted_at
            or in_treatment_at < accepted_at
            or in_treatment_at < called_at
            or completed_at < in_treatment_at,
            false
        ) as is_out_of_order,
        is_terminal,
        load_id
    from timed

)

select * from final

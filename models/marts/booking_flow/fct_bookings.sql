{{ replaces_days(
    'created_date', changes='int_booking_flow__booking_changes',
    looked_up_by=['hospital_id', 'member_key', 'booking_id'],
) }}
-- One row is a booking (예약), with each milestone from request to end.

with bookings as (

    select * from {{ ref('stg_app_db__bookings') }}
    where not is_deleted and {{ in_days_to_replace('created_date') }}

),

statuses as (

    select * from {{ ref('booking_statuses') }}

),

deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}
    where entity = 'booking'

),

receptions as (

    select * from {{ ref('fct_receptions') }}
    where {{ since_days_to_replace('created_date', days_before=1) }}

),

milestones as (

    select
        deliveries.entity_id as booking_id,
        {% for step in [
            'requested', 'confirmed', 'rejected', 'expired', 'rescheduled',
            'arrived', 'no_show', 'completed',
        ] %}
            min(case when deliveries.event_type = '{{ step }}' then deliveries.occurred_at end)
                as {{ step }}_at,
        {% endfor %}
        min(
            case
                when deliveries.event_type in ('cancelled_patient', 'cancelled_hospital')
                    then deliveries.occurred_at
            end
        ) as cancelled_at,
        count(
            distinct case when deliveries.event_type = 'rescheduled' then deliveries.event_id end
        ) as reschedule_count,
        max(deliveries.load_id) as load_id
    from deliveries
    inner join bookings
        on deliveries.entity_id = bookings.booking_id
    group by deliveries.entity_id

),

visits as (

    select
        receptions.booking_id,
        count(*) as reception_count,
        min(receptions.accepted_at) as checked_in_at,
        min(receptions.in_treatment_at) as in_treatment_at,
        max(receptions.load_id) as load_id
    from receptions
    inner join bookings
        on
        receptions.booking_id = bookings.booking_id
        -- a booking is made before its visit; rows that are hours off may shift either by a day
        and receptions.created_date >= {{ add_days('bookings.created_date', -1) }}
    group by receptions.booking_id

),

combined as (

    select
        bookings.booking_id,
        bookings.created_date,
        bookings.member_key,
        bookings.hospital_id,
        bookings.doctor_id,
        bookings.department_code,
        bookings.channel,
        bookings.campaign,
        bookings.source_status,
        coalesce(statuses.status, 'unmapped') as status,
        coalesce(statuses.status_group, 'unmapped') as status_group,
        coalesce(statuses.is_terminal, false) as is_terminal,
        statuses.fhir_status,
        bookings.slot_start_at,
        bookings.slot_end_at,
        bookings.created_at,
        coalesce(milestones.requested_at, bookings.created_at) as requested_at,
        milestones.confirmed_at,
        milestones.rejected_at,
        milestones.expired_at,
        milestones.rescheduled_at,
        coalesce(milestones.reschedule_count, 0) as reschedule_count,
        milestones.arrived_at,
        visits.checked_in_at,
        visits.in_treatment_at,
        milestones.no_show_at,
        milestones.completed_at,
        milestones.cancelled_at,
        coalesce(visits.reception_count, 0) as reception_count,
        -- the wait of someone who comes early starts at the booked time
        case
            when milestones.arrived_at < bookings.slot_start_at then bookings.slot_start_at
            else milestones.arrived_at
        end as wait_started_at,
        coalesce(bookings.slot_start_at < bookings.created_at, false) as is_slot_in_past,
        greatest(
            bookings.load_id, coalesce(milestones.load_id, 0), coalesce(visits.load_id, 0)
        ) as load_id
    from bookings
    left join milestones
        on bookings.booking_id = milestones.booking_id
    left join visits
        on bookings.booking_id = visits.booking_id
    left join statuses
        on lower(trim(bookings.source_status)) = statuses.source_status

),

final as (

    select
        booking_id,
        created_date,
        member_key,
        hospital_id,
        doctor_id,
        department_code,
        channel,
        campaign,
        source_status,
        status,
        status_group,
        fhir_status,
        case status
            when 'cancelled_patient' then 'patient'
            when 'cancelled_hospital' then 'hospital'
        end as cancel_party,
        slot_start_at,
        slot_end_at,
        requested_at,
        confirmed_at,
        rejected_at,
        expired_at,
        rescheduled_at,
        arrived_at,
        checked_in_at,
        in_treatment_at,
        no_show_at,
        completed_at,
        cancelled_at,
        cast(reschedule_count as {{ dbt.type_bigint() }}) as reschedule_count,
        cast(reception_count as {{ dbt.type_bigint() }}) as reception_count,
        cast(
            case
                when not is_slot_in_past
                    then {{ dbt.datediff(
                        kst_date('created_at'), kst_date('slot_start_at'), 'day'
                    ) }}
            end as {{ dbt.type_bigint() }}
        ) as lead_days,
        cast(
            case
                when in_treatment_at >= wait_started_at
                    then {{ seconds_between('wait_started_at', 'in_treatment_at') }}
            end as {{ dbt.type_bigint() }}
        ) as wait_seconds,
        is_slot_in_past,
        status = 'completed' as is_completed,
        status in ('cancelled_patient', 'cancelled_hospital') as is_cancelled,
        coalesce(
            status in ('cancelled_patient', 'cancelled_hospital')
            and {{ seconds_between('cancelled_at', 'slot_start_at') }} < 24 * 60 * 60,
            false
        ) as is_late_cancel,
        -- booking apps block new bookings after three of these
        status = 'no_show' as is_no_show,
        is_terminal,
        load_id
    from combined

)

select * from final

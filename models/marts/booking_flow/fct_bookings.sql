{{ replaces_days(
    'created_date', changes='int_booking_flow__booking_changes',
    looked_up_by=['hospital_id', 'member_key', 'booking_id'],
) }}
-- One row is a booking (예약), with each milestone from request to end.
{% set steps = {'cancelled': "('cancelled_patient', 'cancelled_hospital')"} %}
{% for step in ['requested', 'confirmed', 'rejected', 'expired', 'rescheduled', 'arrived',
    'no_show', 'completed'] %}{% do steps.update({step: "('" ~ step ~ "')"}) %}{% endfor %}
{# some old rows hold Korean local time as if it were UTC; without the event there is no telling #}
{% set is_nine_hours_off %}
    coalesce(
        abs({{ seconds_between('milestones.requested_at', 'bookings.created_at') }} - 32400) <= 60,
        false
    )
{% endset %}
{% set in_days = in_days_to_replace('created_date') %}
{% set ids = 'select booking_id as id from ' ~ ref('stg_app_db__bookings') ~ ' where ' ~ in_days %}

with bookings as (

    select * from {{ ref('stg_app_db__bookings') }}
    where not is_deleted and {{ in_days }}

),

statuses as (

    select * from {{ ref('booking_statuses') }}

),

deliveries as (

    select * from {{ ref('int_booking_flow__deliveries_validated') }}
    where entity = 'booking'
        and {{ among_ids('entity_id', ids) if is_incremental() else 'true' }}

),

receptions as (

    select * from {{ ref('fct_receptions') }}
    where {{ since_days_to_replace('created_date', days_before=1) }}

),

overlapping as (

    select * from {{ ref('int_booking_flow__overlapping_slots') }}
    where {{ in_days_to_replace('created_date') }}

),

persons as (

    select * from {{ ref('int_core__persons') }}

),

milestones as (

    select
        deliveries.entity_id as booking_id,
        {% for step, names in steps.items() %}
            min(
                case when deliveries.event_type in {{ names }} then deliveries.occurred_at end
            ) as {{ step }}_at,
        {% endfor %}
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
        bookings.*,
        coalesce(persons.person_key, bookings.member_key) as person_key,
        coalesce(statuses.status, 'unmapped') as status,
        coalesce(statuses.status_group, 'unmapped') as status_group,
        coalesce(statuses.is_terminal, false) as is_terminal,
        statuses.fhir_status,
        statuses.fhir_slot_status,
        {% for step in steps if step != 'requested' %}
            milestones.{{ step }}_at,
        {% endfor %}
        coalesce(milestones.reschedule_count, 0) as reschedule_count,
        coalesce(visits.reception_count, 0) as reception_count,
        visits.checked_in_at,
        visits.in_treatment_at,
        coalesce(milestones.requested_at, bookings.created_at) as requested_at,
        {{ is_nine_hours_off }} as is_nine_hours_off,
        case when {{ is_nine_hours_off }} then milestones.requested_at else bookings.created_at end
            as made_at,
        -- who comes early waits from the booked time on, and not at all if treated before it
        case
            when milestones.arrived_at < bookings.slot_start_at then bookings.slot_start_at
            else milestones.arrived_at
        end as wait_started_at,
        overlapping.booking_id is not null as is_double_booked,
        greatest(
            bookings.load_id, coalesce(milestones.load_id, 0), coalesce(visits.load_id, 0),
            coalesce(overlapping.load_id, 0), coalesce(persons.load_id, 0)
        ) as newest_load_id
    from bookings
    left join milestones
        on bookings.booking_id = milestones.booking_id
    left join visits
        on bookings.booking_id = visits.booking_id
    left join overlapping
        on bookings.booking_id = overlapping.booking_id
    left join persons
        on bookings.member_key = persons.member_key
    left join statuses
        on lower(trim(bookings.source_status)) = statuses.source_status

),

timed as (

    select
        *,
        coalesce(slot_start_at < made_at, false) as is_slot_in_past,
        {{ dbt.datediff(kst_date('made_at'), kst_date('slot_start_at'), 'day') }} as days_ahead
    from combined

),

final as (

    select
        {% for column in [
            'booking_id', 'created_date', 'member_key', 'person_key', 'hospital_id', 'doctor_id',
            'department_code', 'channel', 'campaign', 'source_status', 'status', 'status_group',
            'fhir_status', 'fhir_slot_status', 'slot_start_at', 'slot_end_at', 'requested_at',
            'confirmed_at', 'rejected_at', 'expired_at', 'rescheduled_at', 'arrived_at',
            'checked_in_at', 'in_treatment_at', 'no_show_at', 'completed_at', 'cancelled_at',
        ] %}
            {{ column }},
        {% endfor %}
        case status
            when 'cancelled_patient' then 'patient'
            when 'cancelled_hospital' then 'hospital'
        end as cancel_party,
        case
            when not is_slot_in_past and days_ahead <= 365 then {{ kst_date('slot_start_at') }}
        end as slot_date,
        cast(reschedule_count as {{ dbt.type_bigint() }}) as reschedule_count,
        cast(reception_count as {{ dbt.type_bigint() }}) as reception_count,
        cast(case when not is_slot_in_past then days_ahead end as {{ dbt.type_bigint() }})
            as lead_days,
        cast(
            case
                when in_treatment_at >= arrived_at
                    then greatest({{ seconds_between('wait_started_at', 'in_treatment_at') }}, 0)
            end as {{ dbt.type_bigint() }}
        ) as wait_seconds,
        is_slot_in_past,
        is_double_booked,
        is_nine_hours_off,
        status = 'completed' as is_completed,
        status in ('cancelled_patient', 'cancelled_hospital') as is_cancelled,
        coalesce(
            status in ('cancelled_patient', 'cancelled_hospital')
            and {{ seconds_between('cancelled_at', 'slot_start_at') }} < 24 * 60 * 60,
            false
        ) as is_late_cancel,
        status = 'no_show' as is_no_show,
        coalesce(fhir_slot_status, 'busy') <> 'free' as is_slot_taken,
        is_terminal,
        newest_load_id as load_id
    from timed

)

select * from final

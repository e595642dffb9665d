{{ replaces_days(
    'stat_date', changes='int_booking_flow__hospital_day_changes', looked_up_by=['hospital_id'],
) }}
-- One row is a hospital on a Korean day: bookings by the day of their slot, receptions by that of
-- the visit, and what was asked for on the day apart. Rates and waits aren't additive over rows.
{% set slot_counts = [
    'slot_bookings', 'confirmed_bookings', 'completed_bookings', 'no_show_bookings',
    'due_bookings', 'due_no_show_bookings', 'patient_cancelled_bookings',
    'hospital_cancelled_bookings', 'late_cancelled_bookings', 'rescheduled_bookings',
    'rejected_bookings', 'expired_bookings', 'double_booked_slots',
] %}
{% set visit_counts = {
    'receptions': 'true',
    'tablet_receptions': "channel = 'tablet'",
    'kiosk_receptions': "channel = 'kiosk'",
    'app_receptions': "channel in ('app_reception', 'app_booking')",
    'desk_receptions': "channel = 'desk'",
    'phone_receptions': "channel = 'phone'",
    'walk_in_receptions': 'not is_booked',
    'completed_receptions': 'is_completed',
    'patient_cancelled_receptions': "status = 'cancelled_patient'",
    'hospital_cancelled_receptions': "status = 'cancelled_hospital'",
    'auto_cancelled_receptions': 'is_auto_cancelled',
} %}
{% set other_counts = [
    'requested_bookings', 'booking_blocked_people', 'reception_blocked_people',
] %}
{% set waits = ['booking_wait', 'walk_in_wait'] %}

with slot_days as (

    select * from {{ ref('int_booking_flow__hospital_day_slots') }}
    where {{ in_days_to_replace('stat_date') }}

),

requests as (

    select * from {{ ref('fct_bookings') }}
    where {{ in_days_to_replace('created_date') }}

),

receptions as (

    select * from {{ ref('fct_receptions') }}
    where {{ in_days_to_replace('created_date') }}

),

penalties as (

    select * from {{ ref('int_booking_flow__penalties') }}
    where {{ in_days_to_replace('penalty_date') }}

),

slot_use as (

    select * from {{ ref('int_booking_flow__slot_use') }}
    where {{ in_days_to_replace('slot_date') }}

),

opening_days as (

    select * from {{ ref('int_booking_flow__opening_days') }}
    where {{ in_days_to_replace('opening_date') }}

),

visit_days as (

    select
        hospital_id,
        created_date as stat_date,
        {% for name, condition in visit_counts.items() %}
            sum(case when {{ condition }} then 1 else 0 end) as {{ name }},
        {% endfor %}
        max(load_id) as load_id
    from receptions
    group by hospital_id, created_date

),

request_days as (

    select
        hospital_id,
        created_date as stat_date,
        count(*) as requested_bookings,
        max(load_id) as load_id
    from requests
    group by hospital_id, created_date

),

penalty_days as (

    select
        hospital_id,
        penalty_date as stat_date,
        count(distinct case penalty_type when 'booking' then person_key end)
            as booking_blocked_people,
        count(distinct case penalty_type when 'reception' then person_key end)
            as reception_blocked_people,
        max(load_id) as load_id
    from penalties
    group by hospital_id, penalty_date

),

parts as (

    {% for part in ['slot_days', 'visit_days', 'request_days', 'penalty_days'] %}
        select
            hospital_id,
            stat_date,
            load_id
        from {{ part }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

days as (

    select
        hospital_id,
        stat_date,
        max(load_id) as load_id
    from parts
    group by hospital_id, stat_date

),

final as (

    select
        days.hospital_id,
        days.stat_date,
        {% for name in slot_counts + visit_counts | list + other_counts %}
            cast(coalesce({{ name }}, 0) as {{ dbt.type_bigint() }}) as {{ name }},
        {% endfor %}
        {{ ratio('confirmed_bookings', 'slot_bookings') }} as confirmed_rate,
        {{ ratio('due_no_show_bookings', 'due_bookings') }} as no_show_rate_of_due,
        {{ ratio('no_show_bookings', 'slot_bookings') }} as no_show_rate_of_all_bookings,
        {{ ratio('late_cancelled_bookings', 'slot_bookings') }} as late_cancel_rate,
        slot_days.lead_days_p50,
        {% for wait in waits %}
            slot_days.{{ wait }}_p50_seconds,
            slot_days.{{ wait }}_p90_seconds,
            coalesce(slot_days.{{ wait }}_count, 0) as {{ wait }}_count,
            coalesce(slot_days.long_{{ wait }}_count, 0) as long_{{ wait }}_count,
            {{ ratio('slot_days.long_' ~ wait ~ '_count', 'slot_days.' ~ wait ~ '_count') }}
                as long_{{ wait }}_rate,
        {% endfor %}
        coalesce(slot_use.busy_minutes, 0) as busy_minutes,
        cast(
            case
                when opening_days.open_minutes > 0 then coalesce(slot_use.busy_open_minutes, 0)
            end as {{ dbt.type_bigint() }}
        ) as busy_open_minutes,
        cast(opening_days.open_minutes as {{ dbt.type_bigint() }}) as open_minutes,
        cast(
            case
                when opening_days.open_minutes > 0
                    then {{ ratio(
                        'coalesce(slot_use.busy_open_minutes, 0)', 'opening_days.open_minutes'
                    ) }}
            end as {{ dbt.type_numeric() }}
        ) as slot_use_rate,
        greatest(
            days.load_id, coalesce(slot_use.load_id, 0), coalesce(opening_days.load_id, 0)
        ) as load_id
    from days
    {% for part in ['slot_days', 'visit_days', 'request_days', 'penalty_days'] %}
        left join {{ part }}
            on
            days.hospital_id = {{ part }}.hospital_id
            and days.stat_date = {{ part }}.stat_date
    {% endfor %}
    left join slot_use
        on
        days.hospital_id = slot_use.hospital_id
        and days.stat_date = slot_use.slot_date
    left join opening_days
        on
        days.hospital_id = opening_days.hospital_id
        and days.stat_date = opening_days.opening_date

)

select * from final

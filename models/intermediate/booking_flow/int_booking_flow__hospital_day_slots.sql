{{ replaces_days(
    'stat_date', changes='int_booking_flow__hospital_day_changes', looked_up_by=['hospital_id'],
) }}
-- Quantiles by nearest rank: the least value that so many are no more than. A table, since the
-- ranks of each day's waits would else be those of all history.
{% set slot_counts = {
    'slot_bookings': 'true',
    'confirmed_bookings': 'confirmed_at is not null',
    'completed_bookings': 'is_completed',
    'no_show_bookings': 'is_no_show',
    'due_bookings': 'is_due',
    'due_no_show_bookings': 'is_due and is_no_show',
    'patient_cancelled_bookings': "status = 'cancelled_patient'",
    'hospital_cancelled_bookings': "status = 'cancelled_hospital'",
    'late_cancelled_bookings': 'is_late_cancel',
    'rescheduled_bookings': 'reschedule_count > 0',
    'rejected_bookings': "status = 'rejected'",
    'expired_bookings': "status = 'expired'",
    'double_booked_slots': 'is_double_booked',
} %}
{% set waits = ['booking_wait', 'walk_in_wait'] %}

with bookings as (

    select *
    from {{ ref('fct_bookings') }}
    where
        slot_date is not null
        and {{ in_days_to_replace('slot_date') }}
        -- a slot's day is at most a year after that of its booking
        and {{ since_days_to_replace('created_date', days_before=365) }}

),

receptions as (

    select * from {{ ref('fct_receptions') }}
    where {{ in_days_to_replace('created_date') }}

),

clock as (

    select max(newest_at) as newest_at from {{ ref('int_booking_flow__data_days') }}

),

rules as (

    select max(case setting when 'no_show_grace_minutes' then value end) * 60 as grace_seconds
    from {{ ref('penalty_rules') }}

),

judged as (

    select
        bookings.*,
        (bookings.is_completed or bookings.is_no_show)
        and {{ seconds_between('bookings.slot_start_at', 'clock.newest_at') }}
        >= rules.grace_seconds as is_due
    from bookings
    -- one row each
    cross join clock
    cross join rules

),

slot_days as (

    select
        hospital_id,
        slot_date as stat_date,
    {% for name, condition in slot_counts.items() %}
        sum(case when {{ condition }} then 1 else 0 end) as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
    from judged
    group by hospital_id, slot_date

),

measured as (

    select
        hospital_id,
        slot_date as stat_date,
        lead_days as days_ahead,
        wait_seconds as booking_wait,
        cast(null as {{ dbt.type_bigint() }}) as walk_in_wait,
        load_id
    from judged

    union all

    select
        hospital_id,
        created_date as stat_date,
        cast(null as {{ dbt.type_bigint() }}) as days_ahead,
        cast(null as {{ dbt.type_bigint() }}) as booking_wait,
        wait_seconds as walk_in_wait,
        load_id
    from receptions
    where not is_booked

),

ranked as (

    select
        {% for measure in ['days_ahead'] + waits %}
            row_number() over (
                partition by hospital_id, stat_date order by {{ measure }} nulls last
            ) as {{ measure }}_no,
            count({{ measure }}) over (partition by hospital_id, stat_date) as {{ measure }}_count,
            {{ measure }},
        {% endfor %}
        hospital_id,
        stat_date,
        load_id
    from measured

),

quantiles as (

    select
        hospital_id,
        stat_date,
        min(case when days_ahead_no * 2 >= days_ahead_count then days_ahead end) as lead_days_p50,
        {% for wait in waits %}
            min(case when {{ wait }}_no * 2 >= {{ wait }}_count then {{ wait }} end)
                as {{ wait }}_p50_seconds,
            min(case when {{ wait }}_no * 10 >= {{ wait }}_count * 9 then {{ wait }} end)
                as {{ wait }}_p90_seconds,
            cast(count({{ wait }}) as {{ dbt.type_bigint() }}) as {{ wait }}_count,
            cast(
                sum(case when {{ wait }} > 1800 then 1 else 0 end) as {{ dbt.type_bigint() }}
            ) as long_{{ wait }}_count,
        {% endfor %}
        max(load_id) as load_id
    from ranked
    group by hospital_id, stat_date

),

final as (

    select
        quantiles.hospital_id,
        quantiles.stat_date,
        {% for name in slot_counts %}
            cast(coalesce(slot_days.{{ name }}, 0) as {{ dbt.type_bigint() }}) as {{ name }},
        {% endfor %}
        quantiles.lead_days_p50,
        {% for wait in waits %}
            quantiles.{{ wait }}_p50_seconds,
            quantiles.{{ wait }}_p90_seconds,
            quantiles.{{ wait }}_count,
            quantiles.long_{{ wait }}_count,
        {% endfor %}
        quantiles.load_id
    from quantiles
    left join slot_days
        on
        quantiles.hospital_id = slot_days.hospital_id
        and quantiles.stat_date = slot_days.stat_date

)

select * from final

{{ replaces_days(
    'penalty_date', changes='int_booking_flow__penalty_changes',
    looked_up_by=['hospital_id', 'person_key'],
) }}
-- One row is a block that a person's cancellations or missed bookings led to. A table, since its
-- look-back over a person's bookings should be made once for all who read it.
with rules as (

    select
        max(case setting when 'reception_count' then value end) as reception_count,
        max(case setting when 'booking_count' then value end) as booking_count,
        max(case setting when 'booking_window_days' then value end) as booking_window_days,
        max(case setting when 'booking_block_days' then value end) as booking_block_days
    from {{ ref('penalty_rules') }}

),

receptions as (

    select * from {{ ref('fct_receptions') }}
    where
        is_penalty_counted
        and person_key is not null
        and {{ in_days_to_replace('created_date') }}

),

-- days of slots are at most a year after those of their bookings, and 90 of them are looked back on
missed_bookings as (

    select
        *,
        coalesce(no_show_at, slot_start_at) as missed_at
    from {{ ref('fct_bookings') }}
    where
        is_no_show
        and person_key is not null
        and slot_date is not null
        and {{ since_days_to_replace('created_date', days_before=455) }}

),

counted_receptions as (

    select
        *,
        coalesce(cancelled_at, requested_at) as counted_at,
        row_number() over (
            partition by person_key, created_date
            order by coalesce(cancelled_at, requested_at) nulls last, reception_id nulls last
        ) as counted,
        max(load_id) over (partition by person_key, created_date) as newest_load_id
    from receptions

),

counted_bookings as (

    select
        missed_bookings.slot_date,
        missed_bookings.person_key,
        missed_bookings.hospital_id,
        missed_bookings.booking_id,
        missed_bookings.missed_at,
        rules.booking_block_days,
        count(*) as counted,
        max(earlier.load_id) as load_id
    from missed_bookings
    -- one row
    cross join rules
    inner join missed_bookings as earlier
        on
        missed_bookings.person_key = earlier.person_key
        and earlier.slot_date
        > {{ add_days('missed_bookings.slot_date', '(-1 * rules.booking_window_days)') }}
        and (
            earlier.slot_start_at < missed_bookings.slot_start_at
            or (
                earlier.slot_start_at = missed_bookings.slot_start_at
                and earlier.booking_id <= missed_bookings.booking_id
            )
        )
    where {{ in_days_to_replace('missed_bookings.slot_date') }}
    group by
        missed_bookings.slot_date,
        missed_bookings.person_key,
        missed_bookings.hospital_id,
        missed_bookings.booking_id,
        missed_bookings.missed_at,
        rules.booking_block_days,
        rules.booking_count
    having count(*) >= rules.booking_count

),

final as (

    select
        'reception' as penalty_type,
        counted_receptions.reception_id as source_id,
        counted_receptions.created_date as penalty_date,
        counted_receptions.person_key,
        counted_receptions.hospital_id,
        cast(counted_receptions.counted as {{ dbt.type_bigint() }}) as counted,
        counted_receptions.counted_at as blocked_at,
        -- the next Korean midnight
        cast(
            {{ dbt.dateadd('hour', 15, 'counted_receptions.created_date') }}
            as {{ dbt.type_timestamp() }}
        ) as blocked_until_at,
        counted_receptions.newest_load_id as load_id
    from counted_receptions
    -- one row
    cross join rules
    where counted_receptions.counted = rules.reception_count

    union all

    select
        'booking' as penalty_type,
        booking_id as source_id,
        slot_date as penalty_date,
        person_key,
        hospital_id,
        cast(counted as {{ dbt.type_bigint() }}) as counted,
        missed_at as blocked_at,
        cast(
            {{ dbt.dateadd('day', 'booking_block_days', 'missed_at') }}
            as {{ dbt.type_timestamp() }}
        ) as blocked_until_at,
        load_id
    from counted_bookings

)

select * from final

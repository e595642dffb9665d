with taken_slots as (

    select
        *,
        {{ dbt.datediff('slot_date', dbt.dateadd('hour', 9, 'slot_start_at'), 'minute') }}
            as start_minute,
        {{ dbt.datediff('slot_date', dbt.dateadd('hour', 9, 'slot_end_at'), 'minute') }}
            as end_minute
    from {{ ref('int_booking_flow__taken_slots') }}

),

opening_days as (

    select * from {{ ref('int_booking_flow__opening_days') }}

),

ordered as (

    select
        *,
        max(end_minute) over (
            partition by doctor_id, slot_date
            order by start_minute nulls last, booking_id nulls last
            rows between unbounded preceding and 1 preceding
        ) as busy_until_minute
    from taken_slots

),

-- what each slot adds to the time that those before it take, so that no minute counts twice
added as (

    select
        hospital_id,
        slot_date,
        case when busy_until_minute > start_minute then busy_until_minute else start_minute end
            as from_minute,
        end_minute as to_minute,
        load_id
    from ordered
    where busy_until_minute is null or end_minute > busy_until_minute

),

clipped as (

    select
        added.hospital_id,
        added.slot_date,
        added.to_minute - added.from_minute as busy_minutes,
        case
            when opening_days.opens_minute is null then null
            when
                added.from_minute < opening_days.closes_minute
                and added.to_minute > opening_days.opens_minute
                then
                    least(added.to_minute, opening_days.closes_minute)
                    - greatest(added.from_minute, opening_days.opens_minute)
            else 0
        end as open_part,
        case
            when
                added.from_minute < opening_days.lunch_to_minute
                and added.to_minute > opening_days.lunch_from_minute
                then
                    least(added.to_minute, opening_days.lunch_to_minute)
                    - greatest(added.from_minute, opening_days.lunch_from_minute)
            else 0
        end as lunch_part,
        added.load_id
    from added
    left join opening_days
        on
        added.hospital_id = opening_days.hospital_id
        and added.slot_date = opening_days.opening_date

),

final as (

    select
        hospital_id,
        slot_date,
        cast(sum(busy_minutes) as {{ dbt.type_bigint() }}) as busy_minutes,
        -- a clinic's hours are its own: null for one row is null for all of its day
        cast(sum(open_part - lunch_part) as {{ dbt.type_bigint() }}) as busy_open_minutes,
        max(load_id) as load_id
    from clipped
    group by hospital_id, slot_date

)

select * from final

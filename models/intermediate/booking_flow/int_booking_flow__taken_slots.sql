with bookings as (

    select
        *,
        {{ kst_date('slot_start_at') }} as slot_date
    from {{ ref('stg_app_db__bookings') }}
    -- a slot before its booking was made is a mistake, and takes nobody's time
    where not is_deleted and slot_start_at >= created_at

),

statuses as (

    select * from {{ ref('booking_statuses') }}

),

final as (

    select
        bookings.booking_id,
        bookings.created_date,
        bookings.hospital_id,
        bookings.doctor_id,
        bookings.slot_date,
        bookings.slot_start_at,
        bookings.slot_end_at,
        bookings.load_id
    from bookings
    left join statuses
        on lower(trim(bookings.source_status)) = statuses.source_status
    where
        coalesce(statuses.fhir_slot_status, 'busy') <> 'free'
        and bookings.doctor_id is not null
        and bookings.slot_end_at > bookings.slot_start_at

)

select * from final

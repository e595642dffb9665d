with heartbeats as (

    select * from {{ ref('stg_clinic_devices__heartbeats') }}
    where not is_deleted and not is_repeat

),

final as (

    select
        device_id,
        sent_at,
        sent_date as activity_date,
        cast(extract(hour from {{ dbt.dateadd('hour', 9, 'sent_at') }}) as {{ dbt.type_bigint() }})
            as sent_hour,
        received_at,
        battery_pct,
        app_version,
        coalesce(battery_pct < 20, false) as is_low_battery,
        -- hourly heartbeats: one that is received an hour late came in a burst after offline hours
        coalesce({{ seconds_between('sent_at', 'received_at') }} > 3600, false) as is_late,
        coalesce({{ seconds_between('received_at', 'sent_at') }} > 60, false) as is_clock_ahead,
        load_id
    from heartbeats

)

select * from final

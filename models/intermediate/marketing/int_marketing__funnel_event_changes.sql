-- A load changes the days of events that it touched, and those on which conversions and reviews
-- were created that it can alter.
with event_days as (

    select * from {{ ref('stg_ledger__days') }}
    where source_name = 'app_events' and table_name = 'events'

),

conversion_changes as (

    select * from {{ ref('int_marketing__conversion_changes') }}
    where created_date is not null

),

reviews as (

    select * from {{ ref('stg_app_db__reviews') }}

),

final as (

    select
        'event' as kind,
        touched_date as event_date,
        load_id
    from event_days
    union all
    select
        'conversion' as kind,
        created_date as event_date,
        load_id
    from conversion_changes
    union all
    select
        'review' as kind,
        {{ kst_date('created_at') }} as event_date,
        load_id
    from reviews

)

select * from final

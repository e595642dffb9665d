-- The days of behaviour events that a load touched, as the ledger knows them: raw isn't read.
with event_days as (

    select *
    from {{ ref('stg_ledger__days') }}
    where source_name = 'app_events' and table_name = 'events'

),

final as (

    select
        touched_date as occurred_date,
        load_id
    from event_days
    where touched_date is not null

)

select * from final

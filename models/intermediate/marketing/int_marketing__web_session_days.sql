-- The raw table tells by its ledger which days a load touched, without being read.
with ledger as (

    select * from {{ ref('stg_ledger__days') }}
    where source_name = 'app_events' and table_name = 'events'

),

final as (

    select
        touched_date as named_date,
        load_id
    from ledger
    where touched_date is not null

)

select * from final

with entries as (

    select * from {{ source('raw_ledger', 'days') }}

),

renamed as (

    select
        load_id,
        source as source_name,
        table_name,
        day as touched_date,
        row_count
    from entries

)

select * from renamed

with entries as (

    select * from {{ source('raw_ledger', 'moves') }}

),

renamed as (

    select
        load_id,
        from_load_id,
        source as source_name,
        table_name,
        kind,
        row_count
    from entries

)

select * from renamed

with entries as (

    select * from {{ source('raw_ledger', 'loads') }}

),

renamed as (

    select
        load_id,
        run_id,
        source as source_name,
        table_name,
        read_count,
        loaded_count,
        quarantined_count,
        suppressed_count,
        vanished_count,
        {{ kst_date('extracted_at') }} as load_date,
        extracted_at
    from entries

)

select * from renamed

-- One row is the account of a source table for a day of loading: where each row read went.

with loads as (

    select * from {{ ref('stg_ledger__loads') }}

),

moves as (

    select * from {{ ref('stg_ledger__moves') }}

),

staged as (

    select * from {{ ref('int_core__staged_rows_counted') }}

),

left_raw as (

    select
        from_load_id as load_id,
        sum(row_count) as row_count
    from moves
    group by from_load_id

),

-- a row marked as vanished stays in raw and counts for the load that marked it
came_back as (

    select
        load_id,
        sum(row_count) as row_count
    from moves
    where kind = 'deleted'
    group by load_id

),

accounted as (

    select
        loads.source_name,
        loads.table_name,
        loads.load_date,
        loads.read_count,
        loads.loaded_count,
        loads.quarantined_count,
        loads.suppressed_count,
        loads.loaded_count - coalesce(left_raw.row_count, 0) + coalesce(came_back.row_count, 0)
            as raw_count,
        coalesce(staged.staging_count, 0) as staging_count,
        staged.excluded_count,
        staged.mart_count,
        staged.mart_count is not null as has_mart
    from loads
    left join left_raw on loads.load_id = left_raw.load_id
    left join came_back on loads.load_id = came_back.load_id
    left join staged
        on
        loads.source_name = staged.source_name
        and loads.table_name = staged.table_name
        and loads.load_id = staged.load_id

),

summed as (

    select
        source_name as source,
        table_name,
        load_date,
        sum(read_count) as read_count,
        sum(loaded_count) as loaded_count,
        sum(quarantined_count) as quarantined_count,
        sum(suppressed_count) as suppressed_count,
        sum(raw_count) as raw_count,
        sum(staging_count) as staging_count,
        sum(excluded_count) as excluded_count,
        sum(mart_count) as mart_count,
        sum(
            abs(read_count - loaded_count - quarantined_count - suppressed_count)
            + abs(raw_count - staging_count)
            + case
                when has_mart then abs(staging_count - excluded_count - mart_count)
                else 0
            end
        ) as unaccounted_count
    from accounted
    group by source_name, table_name, load_date

),

final as (

    select
        source,
        table_name,
        load_date,
        cast(read_count as {{ dbt.type_bigint() }}) as read_count,
        cast(loaded_count as {{ dbt.type_bigint() }}) as loaded_count,
        cast(quarantined_count as {{ dbt.type_bigint() }}) as quarantined_count,
        cast(suppressed_count as {{ dbt.type_bigint() }}) as suppressed_count,
        cast(raw_count as {{ dbt.type_bigint() }}) as raw_count,
        cast(staging_count as {{ dbt.type_bigint() }}) as staging_count,
        cast(excluded_count as {{ dbt.type_bigint() }}) as excluded_count,
        cast(mart_count as {{ dbt.type_bigint() }}) as mart_count,
        cast(unaccounted_count as {{ dbt.type_bigint() }}) as unaccounted_count
    from summed

)

select * from final

-- One row is the start or the end of a command that somebody ran on the warehouse.
with accesses as (

    select * from {{ ref('stg_ledger__accesses') }}

),

final as (

    select
        accessed_at,
        accessed_date,
        actor,
        host,
        command,
        scope,
        outcome,
        cast(record_no as {{ dbt.type_bigint() }}) as record_no,
        case
            when command like 'goodoc extract %'
                then substring(command, length('goodoc extract ') + 1)
        end as restricted_mart
    from accesses

)

select * from final

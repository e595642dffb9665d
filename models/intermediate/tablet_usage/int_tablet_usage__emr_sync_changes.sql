with syncs as (

    select * from {{ ref('int_tablet_usage__emr_syncs') }}

),

final as (

    select
        sync_date,
        load_id
    from syncs
    group by sync_date, load_id

)

select * from final

with source as (

    select * from {{ source('raw_ledger', 'access_log') }}

),

renamed as (

    select
        happened_at as accessed_at,
        {{ kst_date('happened_at') }} as accessed_date,
        actor,
        host,
        command,
        scope,
        outcome,
        -- two alike at one instant are two
        row_number() over (
            partition by happened_at, actor, command, outcome
            order by host nulls last, scope nulls last
        ) as record_no
    from source

)

select * from renamed

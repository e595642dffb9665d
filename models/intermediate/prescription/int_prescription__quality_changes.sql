with prescription_changes as (

    select * from {{ ref('int_prescription__prescription_changes') }}

),

final as (

    select
        cast({{ dbt.date_trunc('month', 'issued_date') }} as date) as month_start_date,
        load_id
    from prescription_changes

)

select * from final

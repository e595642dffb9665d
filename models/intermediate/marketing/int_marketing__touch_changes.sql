-- A session's change changes its touches, also those after midnight: the days are the same.
with session_changes as (

    select * from {{ ref('int_marketing__web_session_changes') }}

),

final as (

    select
        session_date as touch_date,
        load_id
    from session_changes

)

select * from final

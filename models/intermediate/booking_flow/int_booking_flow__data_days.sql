-- The data's own clock: what has been asked for by then, and hence which slots have passed.
with bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

receptions as (

    select * from {{ ref('stg_app_db__receptions') }}

),

created as (

    select
        created_date,
        created_at,
        load_id
    from bookings
    union all
    select
        created_date,
        created_at,
        load_id
    from receptions

),

loaded as (

    select
        created_date,
        load_id,
        max(created_at) as newest_at
    from created
    group by created_date, load_id

),

days as (

    select
        created_date,
        lag(created_date) over (order by created_date nulls last) as prior_date
    from loaded
    group by created_date

),

final as (

    select
        loaded.created_date,
        coalesce(days.prior_date, loaded.created_date) as prior_date,
        loaded.newest_at,
        loaded.load_id
    from loaded
    inner join days
        on loaded.created_date = days.created_date

)

select * from final

-- No model knows the clock: the newest day of the product database is the day of all ages.
with bookings as (

    select * from {{ ref('stg_app_db__bookings') }}

),

reviews as (

    select * from {{ ref('stg_app_db__reviews') }}

),

days as (

    select created_date as data_date from bookings
    union all
    select {{ kst_date('created_at') }} as data_date from reviews

),

newest as (

    select max(data_date) as as_of_date
    from days
    having max(data_date) is not null

),

final as (

    select
        as_of_date,
        true as is_newest
    from newest
    union all
    select
        {{ add_days('as_of_date', -7) }} as as_of_date,
        false as is_newest
    from newest

)

select * from final

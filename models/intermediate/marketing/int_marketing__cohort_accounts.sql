-- A person joined when the first of their accounts did, whichever account is left.
with members as (

    select * from {{ ref('dim_members') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

persons as (

    select
        surviving_member_key as person_key,
        min(joined_date) as acquired_date
    from members
    group by surviving_member_key

),

final as (

    select
        members.member_key,
        persons.person_key,
        persons.acquired_date,
        dates.month_start_date as acquired_month_date
    from members
    inner join persons on members.surviving_member_key = persons.person_key
    inner join dates on persons.acquired_date = dates.calendar_date

)

select * from final

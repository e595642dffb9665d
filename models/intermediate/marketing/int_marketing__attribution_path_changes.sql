-- A path changes with its conversion, with touches from 37 days before the conversion was entered
-- until 7 days after it, and with the merge that tells whose touches are the member's.
with conversion_changes as (

    select * from {{ ref('int_marketing__conversion_changes') }}

),

touch_changes as (

    select * from {{ ref('int_marketing__touch_changes') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

member_merges as (

    select * from {{ ref('stg_app_db__member_merges') }}

),

followed_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

-- what a member did, in each table that conversions are made of
entered as (

    {% for table in ['event_leads', 'bookings', 'receptions', 'payments'] %}
        select
            created_date,
            member_key
        from {{ ref('stg_app_db__' ~ table) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- the merged account, and those that were merged into it before
merged as (

    select
        from_member_key as member_key,
        load_id
    from member_merges
    union all
    select
        earlier_merges.from_member_key as member_key,
        member_merges.load_id
    from member_merges
    left join followed_merges on member_merges.from_member_key = followed_merges.from_member_key
    inner join followed_merges as earlier_merges
        on earlier_merges.surviving_member_key
        = coalesce(followed_merges.surviving_member_key, member_merges.from_member_key)

),

touched as (

    select
        created_date,
        load_id
    from conversion_changes
    where created_date is not null
    union all
    select
        dates.calendar_date as created_date,
        touch_changes.load_id
    from touch_changes
    inner join dates
        on dates.calendar_date >= {{ add_days('touch_changes.touch_date', -7) }}
        and dates.calendar_date <= {{ add_days('touch_changes.touch_date', 37) }}
    union all
    select
        entered.created_date,
        merged.load_id
    from entered
    inner join merged on entered.member_key = merged.member_key
    where entered.created_date is not null

),

final as (

    select
        created_date,
        max(load_id) as load_id
    from touched
    group by created_date

)

select * from final

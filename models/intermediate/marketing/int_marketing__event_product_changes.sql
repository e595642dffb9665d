-- Bookings, visits and payments count for an application up to 30 days before, so what alters an
-- application alters the days after its own too.
with events as (

    select
        touched_date as stat_date,
        load_id
    from {{ ref('stg_ledger__days') }}
    where source_name = 'app_events' and table_name = 'events'

),

reports as (

    select * from {{ ref('int_marketing__ad_report_changes') }}

),

conversions as (

    select * from {{ ref('int_marketing__conversion_changes') }}

),

leads as (

    select * from {{ ref('stg_app_db__event_leads') }}

),

products as (

    select * from {{ ref('stg_app_db__event_products') }}

),

member_merges as (

    select * from {{ ref('stg_app_db__member_merges') }}

),

followed_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

-- a campaign that was renamed or dropped leaves no trace by name: any change concerns all days
campaigns as (

    select max(load_id) as load_id from {{ ref('stg_app_db__campaigns_internal') }}

),

outcomes as (

    select
        member_key,
        created_date
    from {{ ref('stg_app_db__bookings') }}
    union all
    select
        member_key,
        created_date
    from {{ ref('stg_app_db__receptions') }}
    union all
    select
        member_key,
        created_date
    from {{ ref('stg_app_db__payments') }}

),

persons as (

    select
        outcomes.created_date,
        coalesce(followed_merges.surviving_member_key, outcomes.member_key) as person_key
    from outcomes
    left join followed_merges on outcomes.member_key = followed_merges.from_member_key
    where outcomes.created_date is not null
    group by
        outcomes.created_date,
        coalesce(followed_merges.surviving_member_key, outcomes.member_key)

),

changed_leads as (

    select
        leads.created_date,
        coalesce(followed_merges.surviving_member_key, leads.member_key) as person_key,
        greatest(leads.load_id, coalesce(products.load_id, 0)) as load_id
    from leads
    left join products on leads.event_product_id = products.event_product_id
    left join followed_merges on leads.member_key = followed_merges.from_member_key

),

-- a merge that was undone is found by the accounts that it named
merged_keys as (

    select
        from_member_key as member_key,
        load_id
    from member_merges
    union all
    select
        to_member_key as member_key,
        load_id
    from member_merges

),

named_persons as (

    select
        member_key as person_key,
        load_id
    from merged_keys
    union all
    select
        followed_merges.surviving_member_key as person_key,
        merged_keys.load_id
    from merged_keys
    inner join followed_merges on merged_keys.member_key = followed_merges.from_member_key

),

merged_persons as (

    select
        person_key,
        max(load_id) as load_id
    from named_persons
    group by person_key

),

days as (

    select stat_date from events
    union all
    select created_date as stat_date from persons

),

final as (

    select
        stat_date,
        load_id
    from events
    union all
    select
        stat_date,
        load_id
    from reports
    union all
    select
        created_date as stat_date,
        load_id
    from conversions
    union all
    select
        persons.created_date as stat_date,
        changed_leads.load_id
    from changed_leads
    inner join persons
        on changed_leads.person_key = persons.person_key
        and persons.created_date >= changed_leads.created_date
        -- one day more: a lead decides whether the next one is its repeat
        and persons.created_date <= {{ add_days('changed_leads.created_date', 31) }}
    union all
    select
        persons.created_date as stat_date,
        merged_persons.load_id
    from merged_persons
    inner join persons on merged_persons.person_key = persons.person_key
    union all
    select
        days.stat_date,
        campaigns.load_id
    from days
    -- one row
    cross join campaigns

)

select * from final

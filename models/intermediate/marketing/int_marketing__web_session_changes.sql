-- The days on which a load changed sessions or touches: those whose events came or went and, of the
-- same visitor, those that are tied to them across midnight or that a naming or a merge gives to
-- another member.
{% set pause_ends_at = dbt.dateadd(
    'minute', 30, 'lag(last_at) over (partition by visitor_key order by occurred_date nulls last)'
) %}

with days as (

    select * from {{ ref('int_marketing__web_session_days') }}

),

moves as (

    select * from {{ ref('stg_ledger__moves') }}
    where source_name = 'app_events' and table_name = 'events' and kind = 'replaced'

),

member_merges as (

    select * from {{ ref('int_marketing__web_session_merges') }}

),

visitor_members as (

    select * from {{ ref('int_marketing__visitor_members') }}

),

visitor_days as (

    select * from {{ ref('int_marketing__web_session_visitor_days') }}

),

first_namings as (

    select
        visitor_key,
        min(named_at) as named_at
    from visitor_members
    group by visitor_key

),

-- the first naming holds for thirty days before, too
named as (

    select
        visitor_days.visitor_key,
        case
            when first_namings.named_at < visitor_days.first_naming_at
                then visitor_days.occurred_date
            else {{ add_days('visitor_days.occurred_date', -30) }}
        end as from_date,
        visitor_days.next_named_date,
        visitor_days.changed_load_id as load_id
    from visitor_days
    left join first_namings
        on visitor_days.visitor_key = first_namings.visitor_key
    where visitor_days.first_naming_at is not null

),

affected as (

    select
        visitor_key,
        occurred_date,
        changed_load_id as load_id
    from visitor_days
    where changed_load_id is not null
    union distinct
    select
        visitor_days.visitor_key,
        visitor_days.occurred_date,
        named.load_id
    from named
    inner join visitor_days
        on named.visitor_key = visitor_days.visitor_key
        and named.from_date <= visitor_days.occurred_date
        and (
            named.next_named_date is null
            or visitor_days.occurred_date <= named.next_named_date
        )
    union distinct
    select
        visitor_days.visitor_key,
        visitor_days.occurred_date,
        member_merges.load_id
    from member_merges
    inner join visitor_members
        on member_merges.named_member_key = visitor_members.named_member_key
    inner join visitor_days
        on visitor_members.visitor_key = visitor_days.visitor_key
        and visitor_members.valid_from <= visitor_days.last_at
        and (
            visitor_members.valid_to is null
            or visitor_days.first_at < visitor_members.valid_to
        )

),

loosened as (

    select
        *,
        case
            when cast({{ pause_ends_at }} as {{ dbt.type_timestamp() }}) >= first_at then 0
            else 1
        end as is_loose
    from visitor_days

),

tied as (

    select
        visitor_key,
        occurred_date,
        sum(is_loose) over (
            partition by visitor_key order by occurred_date nulls last
            rows between unbounded preceding and current row
        ) as run_no
    from loosened

),

touched as (

    select
        near.occurred_date as session_date,
        affected.load_id
    from affected
    inner join tied
        on affected.visitor_key = tied.visitor_key
        and affected.occurred_date = tied.occurred_date
    inner join tied as near
        on tied.visitor_key = near.visitor_key
        and tied.run_no = near.run_no
        and near.occurred_date >= {{ add_days('tied.occurred_date', -3) }}
        and near.occurred_date <= {{ add_days('tied.occurred_date', 4) }}
    union all
    select
        named_date as session_date,
        load_id
    from days
    union all
    -- rows that a file's new content pushed out of raw can't be asked whose they were: thirty days
    -- before a naming, and the three by which a session may start earlier
    select
        later.named_date as session_date,
        moves.load_id
    from moves
    inner join days
        on moves.load_id = days.load_id
    inner join days as later
        on later.named_date >= {{ add_days('days.named_date', -33) }}

),

final as (

    select
        session_date,
        max(load_id) as load_id
    from touched
    group by session_date

)

select * from final

-- Whose event it is, is looked up at each reading: a visitor may be named weeks after. The account
-- is the one that was used: that it is merged into another later rewrites no past day.
with events as (

    select * from {{ ref('int_marketing__funnel_events') }}

),

declarations as (

    select * from {{ ref('int_marketing__funnel_declarations') }}

),

visitor_members as (

    select * from {{ ref('int_marketing__visitor_members') }}

),

of_people as (

    select
        events.*,
        coalesce(
            visitor_members.named_member_key, events.member_key, events.visitor_key
        ) as person_key
    from events
    left join visitor_members
        on events.visitor_key = visitor_members.visitor_key
        and events.occurred_at >= visitor_members.valid_from
        and (
            visitor_members.valid_to is null
            or events.occurred_at < visitor_members.valid_to
        )

),

of_funnels as (

    select
        declarations.funnel,
        declarations.window_hours,
        declarations.step_number,
        of_people.person_key,
        case declarations.item
            when 'event_product_id'
                then cast(of_people.event_product_id as {{ dbt.type_string() }})
            when 'hospital_id' then cast(of_people.hospital_id as {{ dbt.type_string() }})
            else 'any'
        end as item_key,
        of_people.event_key,
        of_people.event_date,
        of_people.occurred_at,
        of_people.platform,
        of_people.app_version,
        of_people.screen,
        of_people.utm_source
    from of_people
    inner join declarations
        on of_people.event_name = declarations.event_name
        and declarations.screen in ('*', of_people.screen)

),

final as (

    select *
    from of_funnels
    where item_key is not null

)

select * from final

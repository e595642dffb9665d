{{ replaces_days(
    'event_date', changes='int_marketing__funnel_event_changes',
    looked_up_by=['visitor_key', 'member_key'],
) }}
-- Grain: one row is an event that some declared step of a funnel asks for.

with asked as (

    select event_name
    from {{ ref('int_marketing__funnel_declarations') }}
    group by event_name

),

-- the names of what the product database tells are taken
web_events as (

    select *
    from {{ ref('stg_app_events__events') }}
    where not is_deleted and not is_repeat
        and event_name in (select asked.event_name from asked)
        and event_name not in ('application', 'booking', 'visit', 'payment', 'review')
        and {{ in_days_to_replace('occurred_date', instant='occurred_at') }}

),

conversions as (

    select *
    from {{ ref('int_marketing__conversions_unified') }}
    where conversion_type in (select asked.event_name from asked)
        and {{ in_days_to_replace('created_date') }}

),

reviews as (

    select
        *,
        {{ kst_date('created_at') }} as created_date
    from {{ ref('stg_app_db__reviews') }}
    where not is_deleted
        and 'review' in (select asked.event_name from asked)
        and {{ in_days_to_replace(kst_date('created_at')) }}

),

unified as (

    select
        'event-' || event_id as event_key,
        occurred_date as event_date,
        occurred_at,
        event_name,
        visitor_key,
        cast(null as {{ dbt.type_string() }}) as member_key,
        hospital_id,
        event_product_id,
        screen,
        platform,
        app_version,
        utm_source,
        load_id
    from web_events
    union all
    select
        conversion_type || '-' || cast(source_id as {{ dbt.type_string() }}) as event_key,
        created_date as event_date,
        converted_at as occurred_at,
        conversion_type as event_name,
        cast(null as {{ dbt.type_string() }}) as visitor_key,
        member_key,
        hospital_id,
        event_product_id,
        cast(null as {{ dbt.type_string() }}) as screen,
        cast(null as {{ dbt.type_string() }}) as platform,
        cast(null as {{ dbt.type_string() }}) as app_version,
        cast(null as {{ dbt.type_string() }}) as utm_source,
        load_id
    from conversions
    union all
    select
        'review-' || cast(review_id as {{ dbt.type_string() }}) as event_key,
        created_date as event_date,
        written_at as occurred_at,
        'review' as event_name,
        cast(null as {{ dbt.type_string() }}) as visitor_key,
        member_key,
        hospital_id,
        event_product_id,
        cast(null as {{ dbt.type_string() }}) as screen,
        cast(null as {{ dbt.type_string() }}) as platform,
        cast(null as {{ dbt.type_string() }}) as app_version,
        cast(null as {{ dbt.type_string() }}) as utm_source,
        load_id
    from reviews

),

-- the table is cut by the day of the row, which never moves; what happened more than a week off it
-- would lie out of the days that a run reads
final as (

    select *
    from unified
    where coalesce(visitor_key, member_key) is not null
        and {{ kst_date('occurred_at') }} >= {{ add_days('event_date', -7) }}
        and {{ kst_date('occurred_at') }} <= {{ add_days('event_date', 7) }}

)

select * from final

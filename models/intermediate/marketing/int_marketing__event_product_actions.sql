{{ replaces_days(
    'occurred_date', changes='int_marketing__event_product_action_changes',
    looked_up_by=['event_product_id', 'visitor_key'],
) }}
-- Grain: one row is a view of an event product or the start of an application for it. Only
-- the first event of a visit tells the campaign, so it is carried on to the end of the day.
with events as (

    select
        *,
        nullif(utm_campaign, '') as told_campaign
    from {{ ref('stg_app_events__events') }}
    where not is_deleted
        and not is_repeat
        and {{ in_days_to_replace('occurred_date', instant='occurred_at') }}

),

numbered as (

    select
        *,
        count(told_campaign) over (
            partition by visitor_key, occurred_date
            order by occurred_at nulls last, event_id nulls last
            rows between unbounded preceding and current row
        ) as campaign_no
    from events

),

carried as (

    select
        *,
        max(told_campaign) over (partition by visitor_key, occurred_date, campaign_no) as campaign
    from numbered

),

final as (

    select
        event_id,
        event_product_id,
        visitor_key,
        event_name = 'view_event_product' as is_view,
        campaign,
        occurred_at,
        occurred_date,
        load_id
    from carried
    where event_product_id is not null
        and event_name in ('view_event_product', 'apply_start')

)

select * from final

-- What visitors did at event products, with the medium whose campaign brought them.
with events as (

    select *
    from {{ ref('stg_app_events__events') }}
    where not is_deleted
        and not is_repeat
        and event_product_id is not null
        and event_name in ('view_event_product', 'apply_start')

),

campaigns as (

    select * from {{ ref('int_marketing__campaign_media') }}

),

final as (

    select
        events.event_id,
        events.event_product_id,
        events.visitor_key,

        events.event_name = 'view_event_product' as is_view,
        events.utm_campaign as campaign,
        coalesce(campaigns.medium, '(none)') as medium,

        events.occurred_at,
        events.occurred_date,
        greatest(events.load_id, coalesce(campaigns.load_id, 0)) as load_id
    from events
    left join campaigns on events.utm_campaign = campaigns.campaign

)

select * from final

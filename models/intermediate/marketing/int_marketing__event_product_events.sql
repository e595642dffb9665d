-- What visitors did at event products, with the medium whose campaign brought them.
with actions as (

    select * from {{ ref('int_marketing__event_product_actions') }}

),

campaigns as (

    select * from {{ ref('int_marketing__campaign_media') }}

),

final as (

    select
        actions.event_id,
        actions.event_product_id,
        actions.visitor_key,

        actions.is_view,
        actions.campaign,
        coalesce(campaigns.medium, '(none)') as medium,

        actions.occurred_at,
        actions.occurred_date,
        greatest(actions.load_id, coalesce(campaigns.load_id, 0)) as load_id
    from actions
    left join campaigns on actions.campaign = campaigns.campaign

)

select * from final

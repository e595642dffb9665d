with source as (

    select * from {{ source('raw_ads_meta', 'ads') }}

),

renamed as (

    select
        date_start as stat_date,
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(campaign_name) as campaign_name,
        trim(adset_id) as ad_group_id,
        trim(adset_name) as ad_group_name,
        trim(ad_id) as ad_id,
        trim(ad_name) as ad_name,
        trim(account_currency) as currency_native,
        impressions,
        clicks,
        inline_link_clicks,
        spend,
        reach,
        coalesce(actions_lead_1d_click, 0) as actions_lead_1d_click,
        coalesce(actions_lead_7d_click, 0) as actions_lead_7d_click,
        coalesce(actions_lead_28d_click, 0) as actions_lead_28d_click,
        coalesce(actions_lead_1d_view, 0) as actions_lead_1d_view,
        coalesce(actions_complete_registration_1d_click, 0)
            as actions_complete_registration_1d_click,
        coalesce(actions_complete_registration_7d_click, 0)
            as actions_complete_registration_7d_click,
        coalesce(actions_complete_registration_28d_click, 0)
            as actions_complete_registration_28d_click,
        coalesce(actions_complete_registration_1d_view, 0)
            as actions_complete_registration_1d_view,
        coalesce(actions_purchase_1d_click, 0) as actions_purchase_1d_click,
        coalesce(actions_purchase_7d_click, 0) as actions_purchase_7d_click,
        coalesce(actions_purchase_28d_click, 0) as actions_purchase_28d_click,
        coalesce(actions_purchase_1d_view, 0) as actions_purchase_1d_view,
        coalesce(action_values_purchase_1d_click, 0) as action_values_purchase_1d_click,
        coalesce(action_values_purchase_7d_click, 0) as action_values_purchase_7d_click,
        coalesce(action_values_purchase_28d_click, 0) as action_values_purchase_28d_click,
        coalesce(action_values_purchase_1d_view, 0) as action_values_purchase_1d_view,
        {{ ad_extraction() }}
    from source

)

select * from renamed

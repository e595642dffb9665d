-- Some reports tell an ad's number alone: the lists know its ad group and campaign. An ad that was
-- taken off the list keeps them.
with names as (

    select *
    from {{ ref('int_marketing__ad_names') }}
    where is_listed
        and level in ('ad', 'ad_group')

),

ads as (

    select
        medium,
        account_id,
        entity_id as ad_id,
        max(ad_group_id) as ad_group_id,
        max(campaign_id) as campaign_id,
        max(load_id) as load_id
    from names
    where level = 'ad'
    group by medium, account_id, entity_id

),

ad_groups as (

    select
        medium,
        account_id,
        entity_id as ad_group_id,
        max(campaign_id) as campaign_id,
        max(load_id) as load_id
    from names
    where level = 'ad_group'
    group by medium, account_id, entity_id

),

final as (

    select
        ads.medium,
        ads.account_id,
        ads.ad_id,
        ads.ad_group_id,
        coalesce(ads.campaign_id, ad_groups.campaign_id) as campaign_id,
        greatest(ads.load_id, coalesce(ad_groups.load_id, 0)) as load_id
    from ads
    left join ad_groups
        on ads.medium = ad_groups.medium
        and ads.account_id = ad_groups.account_id
        and ads.ad_group_id = ad_groups.ad_group_id

)

select * from final

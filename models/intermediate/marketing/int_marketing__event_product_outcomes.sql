-- A booking, a visit or a payment counts for the newest application that the same person made at an
-- event product of the same hospital before it, on its day or up to 30 days earlier.
with conversions as (

    select * from {{ ref('int_marketing__conversions_unified') }}

),

products as (

    select * from {{ ref('stg_app_db__event_products') }}

),

campaigns as (

    select * from {{ ref('int_marketing__campaign_media') }}

),

member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

-- a person is the account that is left of theirs
actions as (

    select
        conversions.*,
        coalesce(member_merges.surviving_member_key, conversions.member_key) as person_key
    from conversions
    left join member_merges on conversions.member_key = member_merges.from_member_key

),

applications as (

    select
        actions.conversion_type,
        actions.source_id,
        actions.created_date,
        actions.converted_at,
        actions.person_key,
        actions.hospital_id,
        coalesce(actions.event_product_id, 0) as event_product_id,
        coalesce(campaigns.medium, '(none)') as medium,
        -- nothing is due for what was cancelled
        case when actions.is_cancelled then 0 else coalesce(products.application_fee_krw, 0) end
            as fee_krw,
        greatest(
            actions.load_id, coalesce(products.load_id, 0), coalesce(campaigns.load_id, 0)
        ) as load_id
    from actions
    left join products on actions.event_product_id = products.event_product_id
    left join campaigns on actions.campaign = campaigns.campaign
    where actions.conversion_type = 'application'

),

followed as (

    select
        actions.conversion_type,
        actions.source_id,
        actions.created_date,
        actions.value_krw,
        applications.source_id as event_lead_id,
        applications.event_product_id,
        applications.medium,
        greatest(actions.load_id, applications.load_id) as load_id,
        -- the date stands in the partition so that a filter on it comes before the ranking
        row_number() over (
            partition by actions.created_date, actions.conversion_type, actions.source_id
            order by
                applications.converted_at desc nulls last, applications.source_id desc nulls last
        ) as newness
    from actions
    inner join applications
        on actions.person_key = applications.person_key
        and actions.hospital_id = applications.hospital_id
        and actions.converted_at >= applications.converted_at
        and actions.created_date >= applications.created_date
        and actions.created_date <= {{ add_days('applications.created_date', 30) }}
    where actions.conversion_type <> 'application'

),

final as (

    select
        conversion_type,
        source_id,
        created_date,
        source_id as event_lead_id,
        event_product_id,
        medium,
        cast(0 as {{ dbt.type_bigint() }}) as value_krw,
        cast(fee_krw as {{ dbt.type_bigint() }}) as fee_krw,
        load_id
    from applications
    union all
    select
        conversion_type,
        source_id,
        created_date,
        event_lead_id,
        event_product_id,
        medium,
        value_krw,
        cast(0 as {{ dbt.type_bigint() }}) as fee_krw,
        load_id
    from followed
    where newness = 1

)

select * from final

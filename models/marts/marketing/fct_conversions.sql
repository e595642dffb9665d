{{ replaces_days(
    'created_date', changes='int_marketing__conversion_changes',
    looked_up_by=['hospital_id', 'member_key', 'campaign', 'conversion_id'],
) }}
-- Grain: one row is an application, a booking, a visit or a payment.

with conversions as (

    select *
    from {{ ref('int_marketing__conversions_unified') }}
    where {{ in_days_to_replace('created_date') }}

),

campaigns as (

    select * from {{ ref('int_marketing__campaign_media') }}

),

final as (

    select
        conversions.conversion_type || '-'
        || cast(conversions.source_id as {{ dbt.type_string() }}) as conversion_id,
        conversions.conversion_type,
        conversions.created_date,
        conversions.converted_at,
        {{ kst_date('conversions.converted_at') }} as converted_date,

        conversions.member_key,
        conversions.hospital_id,
        conversions.event_product_id,
        conversions.campaign,
        campaigns.medium,

        conversions.value_krw,
        conversions.is_cancelled,
        conversions.cancelled_at,

        greatest(conversions.load_id, coalesce(campaigns.load_id, 0)) as load_id
    from conversions
    left join campaigns on conversions.campaign = campaigns.campaign

)

select * from final

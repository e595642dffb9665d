{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['campaign_id', 'ad_id'],
) }}
-- Grain: one row is an ad on a day, or what the medium counts for a campaign beyond its ads.

with reports as (

    select *
    from {{ ref('int_marketing__ad_reports_unified') }}
    where is_latest
        and {{ in_days_to_replace('stat_date') }}

),

-- a campaign's total stands beside its ads, as does its name, which the ads' report lacks
measured as (

    select
        *,
        case level when 'campaign' then 1 else -1 end as remainder_sign,
        max(campaign_name) over (
            partition by stat_date, medium, account_id, campaign_id
        ) as reported_campaign_name,
        max(load_id) over (
            partition by stat_date, medium, account_id, campaign_id
        ) as newest_load_id
    from reports

),

remainders as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        reported_campaign_name,
        sum(remainder_sign * impressions) as impressions,
        sum(remainder_sign * clicks) as clicks,
        currency_native,
        sum(remainder_sign * spend_native) as spend_native,
        vat_basis,
        sum(remainder_sign * spend_supply_krw) as spend_supply_krw,
        sum(remainder_sign * spend_gross_krw) as spend_gross_krw,
        sum(remainder_sign * conversions) as conversions,
        sum(remainder_sign * conversion_value_krw) as conversion_value_krw,
        max(case level when 'campaign' then extracted_on end) as extracted_on,
        newest_load_id
    from measured
    group by
        stat_date, day_basis, medium, account_id, campaign_id, reported_campaign_name,
        currency_native, vat_basis, newest_load_id
    -- ads without a campaign total have nothing to be held against
    having max(remainder_sign) = 1

),

delivered as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        reported_campaign_name,
        ad_group_id,
        ad_id,
        false as is_remainder,
        impressions,
        clicks,
        currency_native,
        spend_native,
        vat_basis,
        spend_supply_krw,
        spend_gross_krw,
        conversions,
        conversion_value_krw,
        extracted_on,
        newest_load_id
    from measured
    where level = 'ad'
    union all
    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        reported_campaign_name,
        '(remainder)' as ad_group_id,
        '(remainder)' as ad_id,
        true as is_remainder,
        impressions,
        clicks,
        currency_native,
        spend_native,
        vat_basis,
        spend_supply_krw,
        spend_gross_krw,
        conversions,
        conversion_value_krw,
        extracted_on,
        newest_load_id
    from remainders
    where impressions <> 0
        or clicks <> 0
        or spend_native <> 0
        or conversions <> 0
        or conversion_value_krw <> 0

),

final as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        reported_campaign_name as campaign_name,
        ad_group_id,
        ad_id,
        is_remainder,

        cast(impressions as {{ dbt.type_bigint() }}) as impressions,
        cast(clicks as {{ dbt.type_bigint() }}) as clicks,
        currency_native,
        cast(spend_native as {{ dbt.type_numeric() }}) as spend_native,
        vat_basis,
        cast(spend_supply_krw as {{ dbt.type_numeric() }}) as spend_supply_krw,
        cast(spend_gross_krw as {{ dbt.type_numeric() }}) as spend_gross_krw,
        cast(conversions as {{ dbt.type_numeric() }}) as conversions,
        cast(conversion_value_krw as {{ dbt.type_numeric() }}) as conversion_value_krw,

        extracted_on,
        cast({{ dbt.datediff('stat_date', 'extracted_on', 'day') }} as {{ dbt.type_bigint() }})
            as age_days,
        newest_load_id as load_id
    from delivered

)

select * from final

{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['medium', 'campaign_id', 'search_term'],
) }}
-- Grain: one row is a search term that a keyword of an ad group was shown for, on a day.

with figures as (

    select *
    from {{ ref('int_marketing__ad_search_figures') }}
    where searched_by = 'search_term'
        and {{ in_days_to_replace('stat_date') }}

),

final as (

    select
        stat_date,
        day_basis,
        medium,
        account_id,
        campaign_id,
        ad_group_id,
        keyword_id,
        match_type,
        device,
        search_term,
        keyword_text,
        impressions,
        clicks,
        currency_native,
        spend_native,
        vat_basis,
        spend_supply_krw,
        spend_gross_krw,
        conversions,
        conversion_value_krw,
        average_rank,
        extracted_on,
        age_days,
        load_id
    from figures

)

select * from final

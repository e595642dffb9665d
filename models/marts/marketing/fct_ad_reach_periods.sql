{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['medium', 'campaign_id', 'ad_id'],
) }}
-- Grain: one row is an entity's reach in a period as its medium reported it. Whoever was reached
-- on two days counts on both, so reach is never added up: not over days, ads or devices.

with figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where is_latest
        and metric in ('reach', 'impressions')
        and {{ in_days_to_replace('stat_date') }}

),

-- a row of the report for itself, with the impressions beside its reach
report_rows as (

    select
        stat_date,
        day_basis,
        medium,
        report,
        level,
        source_file,
        source_line,
        account_id,
        coalesce(nullif(campaign_id, ''), '(all)') as campaign_id,
        coalesce(nullif(ad_group_id, ''), '(all)') as ad_group_id,
        coalesce(nullif(ad_id, ''), '(all)') as ad_id,
        max(case metric when 'reach' then value end) as reach,
        sum(case metric when 'impressions' then value end) as impressions,
        max(extracted_on) as extracted_on,
        max(age_days) as age_days,
        max(load_id) as load_id
    from figures
    group by
        stat_date, day_basis, medium, report, level, source_file, source_line, account_id,
        coalesce(nullif(campaign_id, ''), '(all)'), coalesce(nullif(ad_group_id, ''), '(all)'),
        coalesce(nullif(ad_id, ''), '(all)')

),

-- where a report splits an entity further (by device, say), its reach isn't known
counted as (

    select
        *,
        count(*) over (
            partition by
                stat_date, medium, report, account_id, campaign_id, ad_group_id, ad_id
        ) as row_count
    from report_rows
    where reach is not null

),

final as (

    select
        'day' as period_type,
        stat_date as period_start_date,
        stat_date,
        day_basis,
        medium,
        report,
        level,
        account_id,
        campaign_id,
        ad_group_id,
        ad_id,
        cast(reach as {{ dbt.type_bigint() }}) as reach,
        cast(impressions as {{ dbt.type_bigint() }}) as impressions,
        {{ ratio('impressions', 'reach') }} as frequency,
        extracted_on,
        age_days,
        load_id
    from counted
    where row_count = 1

)

select * from final

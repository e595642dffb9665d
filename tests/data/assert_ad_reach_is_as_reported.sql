-- Reach never adds up: each reach stands in one row of a report as it is, and no period that holds
-- days of its own has just their sum.
with periods as (

    select * from {{ ref('fct_ad_reach_periods') }}

),

figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where metric = 'reach'
        and is_latest

),

reported as (

    select
        stat_date,
        medium,
        report,
        account_id,
        coalesce(nullif(campaign_id, ''), '(all)') as campaign_id,
        coalesce(nullif(ad_group_id, ''), '(all)') as ad_group_id,
        coalesce(nullif(ad_id, ''), '(all)') as ad_id,
        count(*) as row_count,
        max(value) as reach
    from figures
    group by
        stat_date, medium, report, account_id, coalesce(nullif(campaign_id, ''), '(all)'),
        coalesce(nullif(ad_group_id, ''), '(all)'), coalesce(nullif(ad_id, ''), '(all)')

),

sums_of_days as (

    select
        longer.medium,
        longer.report,
        longer.account_id,
        longer.campaign_id,
        longer.ad_group_id,
        longer.ad_id,
        longer.stat_date,
        longer.period_type,
        longer.reach
    from periods as longer
    inner join periods as days
        on days.period_type = 'day'
        and longer.medium = days.medium
        and longer.account_id = days.account_id
        and longer.campaign_id = days.campaign_id
        and longer.ad_group_id = days.ad_group_id
        and longer.ad_id = days.ad_id
        and days.stat_date between longer.period_start_date and longer.stat_date
    where longer.period_type <> 'day'
    group by
        longer.medium, longer.report, longer.account_id, longer.campaign_id, longer.ad_group_id,
        longer.ad_id, longer.stat_date, longer.period_type, longer.reach
    having count(case when days.reach > 0 then 1 end) > 1
        and sum(days.reach) = longer.reach

)

select
    periods.stat_date,
    periods.medium,
    periods.report,
    periods.campaign_id,
    periods.ad_id
from periods
left join reported
    on periods.stat_date = reported.stat_date
    and periods.medium = reported.medium
    and periods.report = reported.report
    and periods.account_id = reported.account_id
    and periods.campaign_id = reported.campaign_id
    and periods.ad_group_id = reported.ad_group_id
    and periods.ad_id = reported.ad_id
where reported.row_count is null
    or reported.row_count <> 1
    or reported.reach <> periods.reach
union all
select
    stat_date,
    medium,
    report,
    campaign_id,
    ad_id
from sums_of_days

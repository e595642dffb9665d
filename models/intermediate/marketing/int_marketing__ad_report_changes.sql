-- An extraction can change every day of its window, also days on which it has no row: there it says
-- that nothing was delivered. A rate changes the days that it holds for, an account all its days.
with extractions as (

    select * from {{ ref('int_marketing__ad_newest_extractions') }}

),

report_days as (

    select stat_date
    from extractions
    group by stat_date

),

-- the few days meet the rates, and the many extractions their day
rates as (

    select
        report_days.stat_date,
        max(rates.load_id) as load_id
    from report_days
    inner join {{ ref('int_marketing__exchange_rates') }} as rates
        on report_days.stat_date >= rates.valid_from
        and report_days.stat_date < rates.valid_to
    group by report_days.stat_date

),

accounts as (

    select * from {{ ref('int_marketing__ad_accounts') }}

),

parents as (

    select * from {{ ref('int_marketing__ad_parents') }}

),

touched as (

    select
        medium,
        report,
        stat_date,
        load_id
    from extractions
    union all
    select
        extractions.medium,
        extractions.report,
        extractions.stat_date,
        accounts.load_id
    from extractions
    inner join accounts
        on extractions.medium = accounts.medium
        and extractions.account_id = accounts.account_id
    union all
    select
        extractions.medium,
        extractions.report,
        extractions.stat_date,
        rates.load_id
    from extractions
    inner join rates on extractions.stat_date = rates.stat_date
    {# a list that tells an ad's campaign changes the ad's days #}
    {% for report in var('ad_reports') if 'ad_id' in report.columns
        and not ('campaign_id' in report.columns and 'ad_group_id' in report.columns) %}
        union all
        select
            '{{ report.medium }}' as medium,
            '{{ report.report }}' as report,
            reports.stat_date,
            parents.load_id
        from {{ ref('stg_ads_' ~ report.medium ~ '__' ~ report.report) }} as reports
        inner join parents
            on parents.medium = '{{ report.medium }}'
            and reports.account_id = parents.account_id
            and reports.ad_id = parents.ad_id
        where reports.stat_date is not null
    {% endfor %}

),

final as (

    select
        stat_date,
        medium,
        report,
        max(load_id) as load_id
    from touched
    group by stat_date, medium, report

)

select * from final

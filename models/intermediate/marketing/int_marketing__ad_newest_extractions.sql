-- An extraction tells by its window what it read of the accounts in it: a day without rows has
-- none. An account that is missing altogether was not read; without any account, none had rows.
with report_days as (

    select * from {{ ref('int_marketing__ad_report_days') }}

),

extractions as (

    select
        medium,
        report,
        account_id,
        extracted_on,
        window_from,
        window_to,
        source_file,
        max(case when not is_deleted then load_id end) as live_load_id,
        max(load_id) as load_id
    from report_days
    group by medium, report, account_id, extracted_on, window_from, window_to, source_file

),

reported_days as (

    select
        medium,
        report,
        account_id,
        stat_date,
        reported_date
    from report_days
    where stat_date is not null
    group by medium, report, account_id, stat_date, reported_date

),

-- taken back, an extraction counts for nothing, but the day has changed by it
ranked as (

    select
        reported_days.medium,
        reported_days.report,
        reported_days.account_id,
        reported_days.stat_date,
        reported_days.reported_date,
        extractions.extracted_on,
        extractions.window_from,
        extractions.window_to,
        extractions.source_file,
        extractions.live_load_id,
        max(extractions.load_id) over (
            partition by
                reported_days.medium,
                reported_days.report,
                reported_days.account_id,
                reported_days.stat_date,
                reported_days.reported_date
        ) as load_id,
        row_number() over (
            partition by
                reported_days.medium,
                reported_days.report,
                reported_days.account_id,
                reported_days.stat_date,
                reported_days.reported_date
            order by
                case when extractions.live_load_id is null then 1 else 0 end,
                extractions.extracted_on desc nulls last,
                extractions.live_load_id desc nulls last,
                extractions.window_from desc nulls last,
                extractions.window_to desc nulls last,
                extractions.source_file desc nulls last
        ) as newness
    from reported_days
    inner join extractions
        on reported_days.medium = extractions.medium
        and reported_days.report = extractions.report
        and (
            reported_days.account_id = extractions.account_id
            or extractions.account_id is null
        )
        and reported_days.reported_date between extractions.window_from and extractions.window_to

),

final as (

    select
        medium,
        report,
        account_id,
        stat_date,
        reported_date,
        case when live_load_id is not null then extracted_on end as extracted_on,
        case when live_load_id is not null then window_from end as window_from,
        case when live_load_id is not null then window_to end as window_to,
        case when live_load_id is not null then source_file end as source_file,
        load_id
    from ranked
    where newness = 1

)

select * from final

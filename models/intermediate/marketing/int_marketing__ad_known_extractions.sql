-- Which extractions tell of a day, one for each day of extraction: what was known then. One that
-- tells only some of the UTC days that a Korean day is made of doesn't count.
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
        max(load_id) as load_id
    from report_days
    where not is_deleted
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
        and not is_deleted
    group by medium, report, account_id, stat_date, reported_date

),

counted_days as (

    select
        *,
        count(*) over (partition by medium, report, account_id, stat_date) as part_count
    from reported_days

),

ranked as (

    select
        counted_days.medium,
        counted_days.report,
        counted_days.account_id,
        counted_days.stat_date,
        counted_days.reported_date,
        counted_days.part_count,
        extractions.extracted_on,
        extractions.window_from,
        extractions.window_to,
        extractions.source_file,
        extractions.load_id,
        row_number() over (
            partition by
                counted_days.medium,
                counted_days.report,
                counted_days.account_id,
                counted_days.stat_date,
                counted_days.reported_date,
                extractions.extracted_on
            order by
                extractions.load_id desc nulls last,
                extractions.window_from desc nulls last,
                extractions.window_to desc nulls last,
                extractions.source_file desc nulls last
        ) as newness
    from counted_days
    inner join extractions
        on counted_days.medium = extractions.medium
        and counted_days.report = extractions.report
        and (
            counted_days.account_id = extractions.account_id
            or extractions.account_id is null
        )
        and counted_days.reported_date between extractions.window_from and extractions.window_to

),

whole as (

    select
        *,
        count(*) over (
            partition by medium, report, account_id, stat_date, extracted_on
        ) as known_part_count
    from ranked
    where newness = 1

),

final as (

    select
        medium,
        report,
        account_id,
        stat_date,
        reported_date,
        extracted_on,
        window_from,
        window_to,
        source_file,
        load_id
    from whole
    where known_part_count = part_count

)

select * from final

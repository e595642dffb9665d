-- An extraction can change every day of its window, also days on which it has no row: there it says
-- that nothing was delivered. Deleted rows count too: their extraction no longer covers its days.
with reports as (

    select * from {{ ref('int_marketing__ad_reports_unified') }}

),

extractions as (

    select
        medium,
        level,
        extracted_on,
        window_from,
        window_to,
        max(load_id) as load_id
    from reports
    group by medium, level, extracted_on, window_from, window_to

),

reported_days as (

    select
        medium,
        stat_date
    from reports
    group by medium, stat_date

),

final as (

    select
        reported_days.stat_date,
        reported_days.medium,
        extractions.level,
        max(extractions.load_id) as load_id
    from reported_days
    inner join extractions
        on reported_days.medium = extractions.medium
        and reported_days.stat_date between extractions.window_from and extractions.window_to
    group by reported_days.stat_date, reported_days.medium, extractions.level

)

select * from final

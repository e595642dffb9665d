-- One row is a report of an account at a medium: how far it was read, and what will be lost unread.

with report_days as (

    select * from {{ ref('int_marketing__ad_report_days') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

media as (

    select * from {{ ref('dim_media') }}

),

live as (

    select
        medium,
        report,
        coalesce(nullif(account_id, ''), '(all)') as account_id,
        reported_date,
        extracted_on,
        window_from,
        window_to,
        row_count,
        load_id
    from report_days
    where not is_deleted

),

-- the newest extraction day of all is today: models don't know the clock
today as (

    select max(extracted_on) as as_of_date from live

),

read as (

    select
        medium,
        report,
        account_id,
        max(extracted_on) as last_extracted_on,
        min(window_from) as first_asked_date,
        max(reported_date) as newest_row_date,
        max(load_id) as load_id
    from live
    group by medium, report, account_id

),

first_day as (

    select min(first_asked_date) as first_date from read

),

-- every day from the first that was asked for to yesterday, which is the last that is over
asked_days as (

    select dates.calendar_date
    from dates
    cross join today
    cross join first_day
    where dates.calendar_date >= first_day.first_date
        and dates.calendar_date < today.as_of_date

),

windows as (

    select distinct
        medium,
        report,
        account_id,
        window_from,
        window_to
    from live

),

covered as (

    select distinct
        windows.medium,
        windows.report,
        windows.account_id,
        asked_days.calendar_date
    from windows
    inner join asked_days
        on asked_days.calendar_date between windows.window_from and windows.window_to

),

with_rows as (

    select distinct
        medium,
        report,
        account_id,
        reported_date
    from live
    where reported_date is not null

),

expected as (

    select
        read.medium,
        read.report,
        read.account_id,
        asked_days.calendar_date,
        covered.calendar_date is null as is_missing,
        covered.calendar_date is not null and with_rows.reported_date is null as is_zero
    from read
    inner join asked_days on asked_days.calendar_date >= read.first_asked_date
    left join covered
        on read.medium = covered.medium
        and read.report = covered.report
        and read.account_id = covered.account_id
        and asked_days.calendar_date = covered.calendar_date
    left join with_rows
        on read.medium = with_rows.medium
        and read.report = with_rows.report
        and read.account_id = with_rows.account_id
        and asked_days.calendar_date = with_rows.reported_date

),

counted as (

    select
        medium,
        report,
        account_id,
        sum(case when is_missing then 1 else 0 end) as missing_day_count,
        sum(case when is_zero then 1 else 0 end) as zero_day_count,
        min(case when is_missing then calendar_date end) as oldest_missing_date
    from expected
    group by medium, report, account_id

),

final as (

    select
        read.medium,
        read.report,
        read.account_id,
        today.as_of_date,
        read.last_extracted_on,
        cast(
            {{ dbt.datediff('read.last_extracted_on', 'today.as_of_date', 'day') }}
            as {{ dbt.type_bigint() }}
        ) as days_since_extraction,
        read.first_asked_date,
        read.newest_row_date,
        cast(coalesce(counted.missing_day_count, 0) as {{ dbt.type_bigint() }})
            as missing_day_count,
        counted.oldest_missing_date,
        cast(coalesce(counted.zero_day_count, 0) as {{ dbt.type_bigint() }}) as zero_day_count,
        -- a day can be asked for until it is older than what the medium keeps
        cast(
            media.retention_days - {{ dbt.datediff(
                'coalesce(counted.oldest_missing_date, today.as_of_date)', 'today.as_of_date', 'day'
            ) }} as {{ dbt.type_bigint() }}
        ) as days_to_retention_loss,
        media.api_version,
        media.api_ends_on,
        cast(
            {{ dbt.datediff('today.as_of_date', 'media.api_ends_on', 'day') }}
            as {{ dbt.type_bigint() }}
        ) as days_to_api_end,
        read.load_id
    from read
    cross join today
    left join media on read.medium = media.medium
    left join counted
        on read.medium = counted.medium
        and read.report = counted.report
        and read.account_id = counted.account_id

)

select * from final

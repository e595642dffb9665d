{{ replaces_days(
    'stat_date', changes='int_marketing__ad_report_changes',
    looked_up_by=['medium', 'account_id', 'metric'],
) }}
-- Grain: one row is a figure of an account's day in one report, as known on a day of extraction.

with figures as (

    select *
    from {{ ref('int_marketing__ad_figures') }}
    where not is_deleted
        and kind in ('delivery', 'total')
        and (metric in ('impressions', 'clicks', 'spend') or is_primary)
        and {{ in_days_to_replace('stat_date') }}

),

known_extractions as (

    select *
    from {{ ref('int_marketing__ad_known_extractions') }}
    where {{ in_days_to_replace('stat_date') }}

),

media as (

    select * from {{ ref('media') }}

),

media_fields as (

    select distinct
        medium,
        report,
        metric
    from {{ ref('media_fields') }}
    where metric in ('impressions', 'clicks', 'spend')
        or is_primary

),

summed as (

    select
        medium,
        report,
        coalesce(account_id, '') as account_id,
        stat_date,
        reported_date,
        extracted_on,
        source_file,
        metric,
        sum(value) as value
    from figures
    group by
        medium, report, coalesce(account_id, ''), stat_date, reported_date, extracted_on,
        source_file, metric

),

-- an extraction that covers the day without a row of it says 0
known as (

    select
        known_extractions.medium,
        known_extractions.report,
        known_extractions.account_id,
        known_extractions.stat_date,
        known_extractions.extracted_on,
        media_fields.metric,
        media.refetch_days,
        cast(sum(coalesce(summed.value, 0)) as {{ dbt.type_numeric() }}) as value,
        max(known_extractions.load_id) as load_id
    from known_extractions
    inner join media on known_extractions.medium = media.medium
    inner join media_fields
        on (
            known_extractions.medium = media_fields.medium
            or (media.lane = 'file' and media_fields.medium = '*')
        )
        and known_extractions.report = media_fields.report
    left join summed
        on known_extractions.medium = summed.medium
        and known_extractions.report = summed.report
        and coalesce(known_extractions.account_id, '') = summed.account_id
        and known_extractions.stat_date = summed.stat_date
        and known_extractions.reported_date = summed.reported_date
        and known_extractions.extracted_on = summed.extracted_on
        and known_extractions.source_file = summed.source_file
        and media_fields.metric = summed.metric
    where media.role = 'ad'
    group by
        known_extractions.medium, known_extractions.report, known_extractions.account_id,
        known_extractions.stat_date, known_extractions.extracted_on, media_fields.metric,
        media.refetch_days

),

aged as (

    select
        *,
        {{ dbt.datediff('stat_date', 'extracted_on', 'day') }} as age_days,
        lag(value) over (
            partition by medium, report, account_id, stat_date, metric
            order by extracted_on nulls last
        ) as prior_value,
        max(load_id) over (partition by medium, report, account_id, stat_date) as newest_load_id
    from known

),

finished as (

    select
        *,
        first_value(case when age_days >= refetch_days then value end) over (
            partition by medium, report, account_id, stat_date, metric
            order by
                case when age_days >= refetch_days then 0 else 1 end,
                extracted_on desc nulls last
            rows between unbounded preceding and unbounded following
        ) as final_value
    from aged

),

final as (

    select
        stat_date,
        medium,
        report,
        account_id,
        extracted_on,
        metric,
        cast(age_days as {{ dbt.type_bigint() }}) as age_days,
        value,
        cast(value - coalesce(prior_value, 0) as {{ dbt.type_numeric() }}) as delta,
        {{ ratio('value', 'final_value') }} as share_of_final,
        age_days >= refetch_days as is_final,
        newest_load_id as load_id
    from finished

)

select * from final

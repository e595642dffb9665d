{{ replaces_days(
    'sync_date', changes='int_tablet_usage__emr_sync_changes',
    looked_up_by=['hospital_id', 'emr_vendor', 'vendor_version'],
) }}
-- One row is a clinic, a chart vendor and a version of its program on a Korean calendar day with
-- receptions sent to the chart. Rates and percentiles aren't additive over rows.

with attempts as (

    select
        *,
        coalesce(vendor_version, '(not reported)') as version_reported
    from {{ ref('int_tablet_usage__emr_syncs') }}
    where entity = 'reception' and not is_deleted and not is_repeat
        and {{ in_days_to_replace('sync_date') }}

),

-- a reception is followed from its first attempt of the day on
receptions as (

    select
        hospital_id,
        emr_vendor,
        version_reported,
        sync_date,
        entity_id,
        count(*) as attempt_count,
        sum(case when is_success then 0 else 1 end) as failure_count,
        min(started_at) as first_started_at,
        min(case when is_success then started_at end) as acknowledged_at,
        -- clocks that disagree tell no time
        min(case when is_success and finished_at >= started_at then finished_at end)
            as finished_at,
        max(load_id) as load_id
    from attempts
    group by hospital_id, emr_vendor, version_reported, sync_date, entity_id

),

timed as (

    select
        *,
        coalesce(
            {{ seconds_between('first_started_at', 'coalesce(finished_at, acknowledged_at)') }}
            <= 600,
            false
        ) as is_acknowledged,
        {{ seconds_between('first_started_at', 'finished_at') }} as lag_seconds
    from receptions

),

ranked as (

    select
        *,
        case when is_acknowledged then lag_seconds end as acknowledged_seconds,
        row_number() over (
            partition by hospital_id, emr_vendor, version_reported, sync_date
            order by case when is_acknowledged then lag_seconds end nulls last
        ) as lag_rank,
        count(case when is_acknowledged then lag_seconds end) over (
            partition by hospital_id, emr_vendor, version_reported, sync_date
        ) as lag_count
    from timed

),

error_counts as (

    select
        hospital_id,
        emr_vendor,
        version_reported,
        sync_date,
        error_code,
        row_number() over (
            partition by hospital_id, emr_vendor, version_reported, sync_date
            order by count(*) desc nulls last, error_code nulls last
        ) as place
    from attempts
    where error_code is not null and not is_success
    group by hospital_id, emr_vendor, version_reported, sync_date, error_code

),

days as (

    select
        hospital_id,
        emr_vendor,
        version_reported,
        sync_date,
        sum(attempt_count) as attempt_count,
        sum(failure_count) as failure_count,
        sum(attempt_count) - count(*) as retry_count,
        count(*) as reception_count,
        sum(case when is_acknowledged then 0 else 1 end) as failed_reception_count,
        sum(acknowledged_seconds) as lag_seconds,
        count(acknowledged_seconds) as timed_reception_count,
        min(case when lag_rank * 2 >= lag_count then acknowledged_seconds end) as p50_lag_seconds,
        min(case when lag_rank * 20 >= lag_count * 19 then acknowledged_seconds end)
            as p95_lag_seconds,
        max(load_id) as load_id
    from ranked
    group by hospital_id, emr_vendor, version_reported, sync_date

),

final as (

    select
        days.hospital_id,
        days.emr_vendor,
        days.version_reported as vendor_version,
        days.sync_date,
        {% for counted in [
            'attempt_count', 'failure_count', 'retry_count', 'reception_count',
            'failed_reception_count', 'timed_reception_count', 'lag_seconds', 'p50_lag_seconds',
            'p95_lag_seconds',
        ] %}
            cast(days.{{ counted }} as {{ dbt.type_bigint() }}) as {{ counted }},
        {% endfor %}
        {{ ratio('days.failed_reception_count', 'days.reception_count') }} as failure_rate,
        error_counts.error_code as top_error_code,
        days.load_id
    from days
    left join error_counts
        on
        days.hospital_id = error_counts.hospital_id
        and days.emr_vendor = error_counts.emr_vendor
        and days.version_reported = error_counts.version_reported
        and days.sync_date = error_counts.sync_date
        and error_counts.place = 1

)

select * from final

{{ replaces_days(
    'week_start_date', changes='int_tablet_usage__hospital_week_changes',
    looked_up_by=['hospital_id'],
) }}

with dates as (

    select * from {{ ref('dim_dates') }}
    where {{ in_days_to_replace('week_start_date') }}

),

receptions as (

    select
        *,
        coalesce(channel in ('tablet', 'kiosk'), false) as is_by_device
    from {{ ref('fct_receptions') }}
    where {{ in_days_to_replace('created_date', days_after=6) }}

),

ranked as (

    select
        receptions.*,
        dates.week_start_date,
        row_number() over ways as wait_rank,
        count(receptions.wait_seconds) over (
            partition by receptions.hospital_id, dates.week_start_date, receptions.is_by_device
        ) as wait_count
    from receptions
    inner join dates
        on receptions.created_date = dates.calendar_date
    window ways as (
        partition by receptions.hospital_id, dates.week_start_date, receptions.is_by_device
        order by receptions.wait_seconds nulls last
    )

),

final as (

    select
        hospital_id,
        week_start_date,
        count(*) as reception_count,
        cast(sum(case when is_by_device then 1 else 0 end) as {{ dbt.type_bigint() }})
            as tablet_reception_count,
        cast(sum(case when is_self_check_in then 1 else 0 end) as {{ dbt.type_bigint() }})
            as self_check_in_count,
        min(case when is_by_device and wait_rank * 2 >= wait_count then wait_seconds end)
            as p50_wait_seconds_with_tablet,
        min(case when not is_by_device and wait_rank * 2 >= wait_count then wait_seconds end)
            as p50_wait_seconds_without_tablet,
        max(load_id) as load_id
    from ranked
    group by hospital_id, week_start_date

)

select * from final

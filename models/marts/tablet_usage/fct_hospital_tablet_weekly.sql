{{ replaces_days(
    'week_start_date', changes='int_tablet_usage__hospital_week_changes',
    looked_up_by=['hospital_id'],
) }}
-- One row is a clinic with a tablet or kiosk in a week from Monday to Sunday in which anybody came
-- to any clinic. Rates and percentiles aren't additive over rows.
{% set sessions = 'session_weeks.session_count' %}
{% set known = '(session_weeks.new_visitor_session_count'
    ~ ' + session_weeks.returning_session_count)' %}
{% set rates = [
    ('active_device_rate', 'coalesce(session_weeks.active_device_count, 0)',
        'installed.installed_device_count'),
    ('abandonment_rate', 'session_weeks.abandoned_session_count', sessions),
    ('new_visitor_rate', 'session_weeks.new_visitor_session_count', known),
    ('returning_visitor_rate', 'session_weeks.returning_session_count', known),
    ('self_check_in_rate', 'reception_weeks.self_check_in_count',
        'case when session_weeks.active_device_count > 0 then reception_weeks.reception_count end'),
    ('sync_failure_rate', 'sync_weeks.failed_sync_count', 'sync_weeks.synced_reception_count'),
] %}

with dates as (

    select * from {{ ref('dim_dates') }}
    where {{ in_days_to_replace('week_start_date') }}

),

session_weeks as (

    select * from {{ ref('int_tablet_usage__session_weeks') }}
    where {{ since_days_to_replace('week_start_date', days_before=56) }}

),

reception_weeks as (

    select * from {{ ref('int_tablet_usage__reception_weeks') }}
    where {{ in_days_to_replace('week_start_date') }}

),

device_receptions as (

    select * from {{ ref('fct_receptions') }}
    where device_id is not null and {{ in_days_to_replace('created_date', days_after=13) }}

),

syncs as (

    select * from {{ ref('fct_emr_sync_daily') }}
    where {{ in_days_to_replace('sync_date', days_after=6) }}

),

devices as (

    select
        *,
        {{ kst_date('valid_from_at') }} as installed_date,
        coalesce({{ kst_date('valid_to_at') }}, cast('9999-12-31' as date)) as left_date
    from {{ ref('dim_devices') }}

),

weeks as (

    select
        week_start_date,
        {{ add_days('week_start_date', 6) }} as week_end_date
    from reception_weeks
    group by week_start_date

),

-- a device that is carried elsewhere stands at both clinics in that week
stays as (

    select
        weeks.week_start_date,
        devices.hospital_id,
        devices.device_id,
        max(devices.installed_date) as last_installed_date
    -- few weeks are replaced, and devices are few beside what they do
    from weeks
    cross join devices
    where devices.installed_date <= weeks.week_end_date
        and devices.left_date >= weeks.week_start_date
        and devices.hospital_id is not null
    group by weeks.week_start_date, devices.hospital_id, devices.device_id

),

installed as (

    select
        stays.week_start_date,
        stays.hospital_id,
        count(distinct stays.device_id) as installed_device_count,
        count(
            distinct case
                when stays.last_installed_date >= stays.week_start_date then stays.device_id
            end
        ) as new_device_count,
        count(distinct device_receptions.device_id) as activated_device_count,
        max(device_receptions.load_id) as load_id
    from stays
    left join device_receptions
        on
        stays.device_id = device_receptions.device_id
        and stays.hospital_id = device_receptions.hospital_id
        and stays.last_installed_date >= stays.week_start_date
        and device_receptions.created_date >= stays.last_installed_date
        and device_receptions.created_date <= {{ add_days('stays.last_installed_date', 7) }}
    group by stays.week_start_date, stays.hospital_id

),

sync_weeks as (

    select
        syncs.hospital_id,
        dates.week_start_date,
        sum(syncs.reception_count) as synced_reception_count,
        sum(syncs.failed_reception_count) as failed_sync_count,
        max(syncs.load_id) as load_id
    from syncs
    inner join dates
        on syncs.sync_date = dates.calendar_date
    group by syncs.hospital_id, dates.week_start_date

),

uses as (

    select
        installed.week_start_date,
        installed.hospital_id,
        max(session_weeks.week_start_date) as last_used_week_date,
        max(session_weeks.load_id) as load_id
    from installed
    inner join session_weeks
        on
        installed.hospital_id = session_weeks.hospital_id
        and session_weeks.week_start_date <= installed.week_start_date
        and session_weeks.week_start_date >= {{ add_days('installed.week_start_date', -56) }}
    where session_weeks.submitted_session_count > 0
    group by installed.week_start_date, installed.hospital_id

),

final as (

    select
        installed.hospital_id,
        installed.week_start_date,
        {% for counted in [
            'installed.installed_device_count', 'installed.new_device_count',
            'installed.activated_device_count', 'session_weeks.active_device_count',
            'session_weeks.session_count', 'session_weeks.submitted_session_count',
            'session_weeks.abandoned_session_count', 'session_weeks.new_visitor_session_count',
            'session_weeks.returning_session_count', 'reception_weeks.reception_count',
            'reception_weeks.tablet_reception_count', 'reception_weeks.self_check_in_count',
            'sync_weeks.synced_reception_count', 'sync_weeks.failed_sync_count',
        ] %}
            cast(coalesce({{ counted }}, 0) as {{ dbt.type_bigint() }})
                as {{ counted.split('.')[1] }},
        {% endfor %}
        {% for name, numerator, denominator in rates %}
            {{ ratio(numerator, denominator) }} as {{ name }},
        {% endfor %}
        coalesce(reception_weeks.tablet_reception_count >= 10, false) as is_adopted,
        coalesce(
            uses.last_used_week_date <= {{ add_days('installed.week_start_date', -21) }}, false
        ) as is_churned,
        session_weeks.p50_emr_lag_seconds,
        session_weeks.p95_emr_lag_seconds,
        reception_weeks.p50_wait_seconds_with_tablet,
        reception_weeks.p50_wait_seconds_without_tablet,
        greatest(
            coalesce(installed.load_id, 0),
            coalesce(session_weeks.load_id, 0),
            coalesce(uses.load_id, 0),
            coalesce(reception_weeks.load_id, 0),
            coalesce(sync_weeks.load_id, 0)
        ) as load_id
    from installed
    {% for part in ['session_weeks', 'reception_weeks', 'sync_weeks', 'uses'] %}
        left join {{ part }}
            on
            installed.hospital_id = {{ part }}.hospital_id
            and installed.week_start_date = {{ part }}.week_start_date
    {% endfor %}

)

select * from final

"""The facts about a company, computed from its clean state."""

import duckdb

from simulator import bookings, flows, prescriptions, reference, visits
from simulator.files import Tally
from simulator.media import facts
from simulator.world import World, literal, run, scalar

_DIRTY_TABLES = {
    "member_now": "members",
    "hospital": "hospitals",
    "hospital_department": "hospital_departments",
    "doctor": "doctors",
    "device_now": "devices",
    "booking_now": "bookings",
    "reception_now": "receptions",
    "prescription_now": "prescriptions",
    "diagnosis": "prescription_diagnoses",
    "item": "prescription_items",
    "payment_now": "payments",
    "tablet_session_now": "tablet_sessions",
    "review_now": "reviews",
    "event_product": "event_products",
    "lead_now": "event_leads",
}

# Figures by the clean table they are computed from.
FIGURES = {
    "member_now": {
        "members_count": "count(*)",
        "members_merged_count": "count(merged_at)",
        "members_withdrawn_count": "count(withdrawn_at)",
    },
    "hospital": {"hospitals_count": "count(*)"},
    "doctor": {"doctors_count": "count(*)"},
    "lead_now": {
        "event_leads_count": "count(*)",
        "conversions_application_count": "count(*) filter (not is_repeat)",
    },
    "payment_now": {
        "conversions_payment_count": "count(*) filter (status = 'paid' and amount > 0)",
        "conversions_payment_value_krw": "sum(round(amount)) filter (status = 'paid' "
        "and amount > 0)",
        "payments_refunded_krw": "-sum(round(amount)) filter (status = 'refunded')",
    },
    "review_now": {
        "reviews_count": "count(*)",
        "reviews_helpful_votes": "sum(helpful_count)",
        "reviews_photos_count": "sum(photo_count)",
    },
    "event_product": {
        "event_products_count": "count(*)",
        "event_products_sensitive_count": "count(*) filter (list_contains("
        f"{literal(list(reference.SENSITIVE_CATEGORIES))}, category))",
        "event_product_fees_krw": "sum(application_fee)",
    },
    "device_now": {"devices_count": "count(*)"},
    "device_day": {"device_days_count": "count(*)"},
    # A heartbeat comes each hour from nine on, at the device's own minute, and stands for an hour;
    # what a device sends on the morning after it was offline, isn't there yet on the last day.
    """
    (select c.opens, c.closes, 540 + d.device_id % 60 as up_from, d.device_id % 60 + 60 * case
        when d.day = (select max(day) from device_day) and rnd('offl', hash(d.device_id, d.day))
            < 0.04 and 9 + floor(rnd('off', hash(d.device_id, d.day)) * 12) between 17 and 18
        then 9 + floor(rnd('off', hash(d.device_id, d.day)) * 12)::bigint else 19 end as up_until
    from device_day as d
    join device_shown as s on d.device_id = s.device_id and d.day >= s.from_day and d.day < s.to_day
    join hospital as h on s.hospital_id = h.id join hospital as o on h.ykiho = o.ykiho
    join clinic_hours as c on o.id = c.hospital_id and isodow(d.day) = c.dow and c.dirt is null
    where rnd('ahead', hash(d.device_id)) >= 0.01 and d.device_id <> 2)
    """: {
        "device_days_of_known_hours_count": "count(*)",
        "device_opening_minutes_total": "sum(closes - opens)",
        "device_uptime_minutes_total": "sum(greatest(0, least(closes, up_until) "
        "- greatest(opens, up_from)))",
    },
    "hospital_week": {
        "hospital_weeks_count": "count(*)",
        "hospital_weeks_installed_devices": "sum(installed)",
        "hospital_weeks_new_devices": "sum(installed_now)",
        "hospital_weeks_activated_devices": "sum(activated)",
        "hospital_weeks_active_devices": "coalesce(sum(active), 0)",
        "hospital_weeks_adopted_count": "count(*) filter (by_device >= 10)",
        "hospital_weeks_self_check_ins": "coalesce(sum(self_check_ins), 0)",
        "hospital_weeks_churned_count": "count(*) filter (last_used <= week - 21)",
    },
    "tablet_session_now": {
        "tablet_sessions_count": "count(*)",
        "tablet_sessions_test_count": "count(*) filter (is_test)",
        "tablet_sessions_submitted_count": "count(*) filter (not is_test "
        "and end_reason in ('submitted', 'emr_acked'))",
        "tablet_sessions_abandoned_count": "count(*) filter (not is_test "
        "and (end_reason like 'abandoned%' or end_reason is null))",
        "tablet_sessions_failed_count": "count(*) filter (not is_test "
        "and end_reason like 'failed%')",
        "tablet_sessions_valid_duration_seconds": "sum(epoch(ended_at - started_at)::bigint) "
        "filter (not is_test and ended_at - started_at <= interval 30 minute "
        "and dirt is distinct from 'negative_length')",
    },
    # two rows of a clinic that moved are one institution
    "(select c.* from clinic_hours as c join hospital as o on c.hospital_id = o.id "
    "join hospital as h on o.ykiho = h.ykiho where c.dirt is null)": {
        "opening_hours_count": "count(*)",
        "opening_minutes_total": "sum(closes - opens)",
        "opening_lunch_minutes_total": "sum(lunch_to - lunch_from)",
    },
    "drug_list": {"drug_products_count": "count(distinct drug_code)"},
    "drug_version": {
        "drug_versions_count": "count(*)",
        "drug_current_unpriced_count": "count(*) filter (valid_to is null and price is null)",
    },
    "prescription_now": {
        "prescriptions_count": "count(*)",
        "prescriptions_dispensed_count": "count(*) filter (status = 'dispensed')",
    },
    "item_priced": {
        "prescription_items_count": "count(*)",
        "prescription_items_in_house_count": "count(*) filter (in_house)",
        "prescription_items_unknown_drug_count": "count(*) filter (is_unknown)",
        "prescription_amount_krw_total": "sum(amount)",
        "prescriptions_with_injection_count": "count(distinct prescription_id) "
        "filter (route = 'B')",
    },
    "dur_check": {"dur_checks_count": "count(*)"},
    "booking_now": {
        "bookings_count": "count(*)",
        "conversions_booking_count": "count(*)",
        **{
            f"bookings_{status}_count": f"count(*) filter (status = '{status}')"
            for status in (
                "completed",
                "no_show",
                "cancelled_patient",
                "cancelled_hospital",
                "rejected",
                "expired",
            )
        },
        "conversions_booking_cancelled_count": "count(*) filter (status in "
        "('cancelled_patient', 'cancelled_hospital'))",
        "bookings_late_cancel_count": "count(*) filter (status in "
        "('cancelled_patient', 'cancelled_hospital') and ended_at > slot_start "
        "- interval 24 hour)",
        "booking_lead_days_total": "sum(slot_day - kst_day(created_at)) "
        "filter (dirt is distinct from 'slot_in_past')",
    },
    "reception_now": {
        "receptions_count": "count(*)",
        "conversions_visit_count": "count(*) filter (status = 'completed')",
        "receptions_auto_cancelled_count": "count(*) filter (status = 'auto_cancelled_absent')",
        **{
            f"receptions_{status}_count": f"count(*) filter (status = '{status}')"
            for status in (
                "completed",
                "rejected",
                "sync_failed",
                "cancelled_patient",
                "expired_day_end",
            )
        },
        "receptions_self_check_in_count": "count(*) filter (channel in "
        "('tablet', 'kiosk', 'app_reception'))",
        "reception_wait_seconds_total": "sum(epoch(started_at - accepted_at)::bigint) "
        "filter (status = 'completed')",
    },
}

# Dirt that isn't a mark on single rows, counted where it shows.
_NATURAL_DIRT = {
    "app_db.members.phone_shape": "select count(*) from member_now where id % 20 < 3",
    "app_db.bookings.double_booking": "select count(*) from (select row_number() over "
    "(partition by doctor_id, slot_start order by id) as r from booking_now "
    "where dirt is distinct from 'slot_in_past') where r > 1",
    "app_db.prescriptions.issue_no_repeats": "select count(*) from prescription_now "
    "where issue_no in (select issue_no from prescription_now group by issue_no "
    "having count(distinct hospital_id) > 1)",
    "app_db.tablet_sessions.test_session": "select count(*) from tablet_session_now where is_test",
    "app_db.member_merges.chain": "select count(*) from member_merge "
    "where from_id in (select to_id from member_merge)",
    "app_db.member_merges.number_change": "select count(*) from member_merge",
}


def _add_hospital_weeks(con: duckdb.DuckDBPyConnection) -> None:
    """One row a clinic and week with a device there, as the product database showed it."""
    run(
        con,
        """
        create or replace temp table hospital_week as
        with placed as (
            select s.device_id, s.hospital_id, s.to_day,
                greatest(s.from_day, d.installed_on) as from_day
            from device_shown as s join device_now as d on s.device_id = d.id
        ), week as (
            select distinct date_trunc('week', day)::date as week from reception
        ), there as (
            select w.week, p.*, p.from_day >= w.week and exists (
                    select 1 from reception as r where r.device_id = p.device_id
                        and r.hospital_id = p.hospital_id
                        and r.day between p.from_day and p.from_day + 7) as is_activated
            from week as w join placed as p on p.from_day < w.week + 7 and p.to_day >= w.week
        ), used as (
            select hospital_id, device_id, date_trunc('week', kst_day(started_at))::date as week,
                count(*) as n
            from tablet_session
            where not is_test and end_reason in ('submitted', 'emr_acked') group by all
        ), come as (
            select hospital_id, date_trunc('week', day)::date as week,
                count(*) filter (channel in ('tablet', 'kiosk')) as by_device,
                count(*) filter (channel in ('tablet', 'kiosk', 'app_reception')) as self_check_ins
            from reception group by all
        )
        select t.week, t.hospital_id, count(*) as installed,
            count(*) filter (from_day >= t.week) as installed_now,
            count(*) filter (is_activated) as activated,
            (select count(*) from used as u where u.hospital_id = t.hospital_id
                and u.week = t.week and u.n >= 10) as active,
            (select max(u.week) from used as u where u.hospital_id = t.hospital_id
                and u.week between t.week - 56 and t.week) as last_used,
            any_value(c.by_device) as by_device, any_value(c.self_check_ins) as self_check_ins
        from there as t
        left join come as c on t.hospital_id = c.hospital_id and t.week = c.week
        group by t.week, t.hospital_id
        """,
    )


def tell(
    con: duckdb.DuckDBPyConnection, world: World, tally: Tally, app_db_rows: dict[str, int]
) -> dict:
    """The truth as of now: rows delivered, dirt planted, rows to be rejected, right figures."""
    run(
        con,
        """
        create or replace temp table item_priced as
        select i.prescription_id, i.line_no, i.in_house, v.route, v.drug_code is null as is_unknown,
            case when i.total_days between 1 and 365
                then round(v.price * i.dose * i.times_per_day * i.total_days) end as amount
        from item as i
        left join drug_version as v on i.drug_code = v.drug_code
            and i.issued_date >= v.valid_from
            and i.issued_date < coalesce(v.valid_to, date '9999-12-31')
        """,
    )
    _add_hospital_weeks(con)
    figures: dict[str, int | float] = {}
    for table, expressions in FIGURES.items():
        values = run(con, f"select {', '.join(expressions.values())} from {table}")[0]
        figures |= {
            name: _number(value or 0) for name, value in zip(expressions, values, strict=True)
        }
    figures |= {name: _number(value) for name, value in facts.figures(world).items()}
    figures |= visits.figures(con)
    figures |= flows.figures(con)
    figures |= bookings.figures(con, world)
    figures |= prescriptions.figures(con)
    figures |= tally.section("figures")
    dirt = tally.section("dirt") | facts.dirt()
    marked = " union all ".join(
        f"select '{name}.' || dirt as name from {table} where dirt is not null"
        for table, name in _DIRTY_TABLES.items()
    )
    for name, number in run(con, f"select name, count(*) from ({marked}) group by 1 order by 1"):
        dirt[f"app_db.{name}"] = number
    for name, query in _NATURAL_DIRT.items():
        dirt[name] = scalar(con, query)
    quarantine = tally.section("quarantine")
    quarantine["app_db.prescriptions"] = dirt.get("app_db.prescriptions.rrn_in_memo", 0)
    quarantine["app_db.payments"] = dirt.get("app_db.payments.updated_in_2099", 0)
    return {
        "seed": world.seed,
        "scale": world.scale,
        "days": world.days,
        "start": world.start.isoformat(),
        "last_day": world.last.isoformat(),
        "rows": dict(sorted((tally.section("rows") | app_db_rows).items())),
        "dirt": dict(sorted(dirt.items())),
        "quarantine": dict(sorted(quarantine.items())),
        "figures": dict(sorted(figures.items())),
    }


def _number(value: object) -> int | float:
    """A count stays whole; money keeps its decimals only where it has any."""
    number = float(value)
    return int(number) if number.is_integer() else round(number, 4)

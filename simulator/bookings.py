"""What is true of bookings and receptions beyond counts of their rows: whom the apps block, whose
time is taken, what follows from visits. It comes from the clean state, by definition and not by way
of anything that a warehouse does.
"""

import duckdb

from simulator import reference
from simulator.world import World, literal, run

_FREE = "('cancelled_patient', 'cancelled_hospital', 'rejected', 'expired')"
_FACTS = {
    # An account leads on to the one that it was merged into, and so on to the last.
    "person": """
        with recursive chain as (
            select id, id as person_id from member
            union all
            select c.id, m.to_id from chain as c join member_merge as m on c.person_id = m.from_id
        )
        select id, person_id from chain where person_id not in (select from_id from member_merge)
    """,
    "clock": """
        select max(moment) as moment, kst_day(max(moment)) as day from (
            select created_at as moment from booking_now union all
            select requested_at from reception_now)
    """,
    "missed": """
        select b.*, p.person_id from booking_now as b join fact_person as p on b.member_id = p.id
        where b.status = 'no_show' and b.dirt is distinct from 'slot_in_past'
    """,
    "taken": f"""
        select * from booking_now
        where status not in {_FREE} and dirt is distinct from 'slot_in_past'
    """,
    "taken_minute": """
        select distinct doctor_id, hospital_id, slot_day,
            hour(slot_start + interval 9 hour) * 60 + minute(slot_start) + i as minute
        from fact_taken cross join range(30) as r (i)
    """,
    "visit": """
        select r.*, p.person_id, r.day + 30 < c.day as is_closed,
            exists (
                select 1 from reception_now as n join fact_person as q on n.member_id = q.id
                where q.person_id = p.person_id and n.hospital_id = r.hospital_id
                and n.status = 'completed' and n.day between r.day + 1 and r.day + 30
            ) as is_revisited
        from reception_now as r join fact_person as p on r.member_id = p.id
            cross join fact_clock as c
        where r.status = 'completed'
    """,
}


def figures(con: duckdb.DuckDBPyConnection, world: World) -> dict[str, int]:
    """The figures as of now; needs the views `…_now` of the state."""
    for name, query in _FACTS.items():
        run(con, f"create or replace temp table fact_{name} as {query}")
    found: dict[str, int] = {}
    for source, expressions in _figures(world).items():
        values = run(con, f"select {', '.join(expressions.values())} from {source}")[0]
        found |= {name: int(value or 0) for name, value in zip(expressions, values, strict=True)}
    return found


def _figures(world: World) -> dict[str, dict[str, str]]:
    passed = "b.slot_start <= c.moment - interval 1 hour and b.dirt is distinct from 'slot_in_past'"
    holidays = literal(list(reference.HOLIDAYS))
    closed = literal(["휴진", "전부휴진", "", "휴진"])
    open_on_holidays = (
        f"pick(list_append({closed}, '정상진료'), rnd('hhol', h.hospital_id)) = '정상진료'"
    )
    paid = "(select reception_id from payment_now where status in ('paid', 'refunded'))"
    injected = (
        "(select p.reception_id from item_priced as i join prescription_now as p "
        "on i.prescription_id = p.id where i.route = 'B' and p.reception_id is not null)"
    )
    return {
        "booking_now as b cross join fact_clock as c": {
            "bookings_with_slot_day_count": "count(*) filter "
            "(b.dirt is distinct from 'slot_in_past')",
            "bookings_due_count": f"count(*) filter ({passed} "
            "and b.status in ('completed', 'no_show'))",
            "bookings_due_no_show_count": f"count(*) filter ({passed} and b.status = 'no_show')",
            "bookings_slot_no_show_count": "count(*) filter (b.status = 'no_show' "
            "and b.dirt is distinct from 'slot_in_past')",
            "bookings_persons_count": "count(distinct (select person_id from fact_person as p "
            "where p.id = b.member_id))",
        },
        "fact_taken as t": {
            "bookings_double_booked_count": "count(*) filter (exists (select 1 from fact_taken "
            "as o where o.doctor_id = t.doctor_id and o.id <> t.id "
            "and abs(epoch(o.slot_start - t.slot_start)) < 1800))",
        },
        "fact_taken_minute as t": {"booking_busy_minutes": "count(*)"},
        "fact_taken_minute as t join clinic_hours as h on t.hospital_id = h.hospital_id "
        "and h.dow = isodow(t.slot_day) and h.dirt is null and t.minute >= h.opens "
        "and t.minute < h.closes and (h.lunch_from is null or t.minute < h.lunch_from "
        f"or t.minute >= h.lunch_to) and (not list_contains({holidays}, t.slot_day) "
        f"or {open_on_holidays})": {"booking_busy_open_minutes": "count(*)"},
        "fact_missed as m": {
            "penalties_booking_count": "count(*) filter (3 <= (select count(*) from fact_missed "
            "as o where o.person_id = m.person_id and o.slot_day between m.slot_day - 89 "
            "and m.slot_day and (o.slot_start, o.id) <= (m.slot_start, m.id)))",
        },
        "(select p.person_id, r.day "
        "from reception_now as r join fact_person as p on r.member_id = p.id "
        "where r.status in ('cancelled_patient', 'auto_cancelled_absent') "
        "group by all having count(*) >= 3)": {"penalties_reception_count": "count(*)"},
        "reception_now": {
            "receptions_throughput_seconds_total": "sum(epoch(ended_at - requested_at)::bigint) "
            "filter (status = 'completed')",
            "receptions_completed_without_call_count": "count(*) filter (status = 'completed' "
            "and dirt = 'completed_without_called')",
            "receptions_nine_hours_off_count": "count(*) filter (dirt = 'nine_hours_off')",
            # each shows the number 1, which somebody else of the clinic's day has
            "receptions_queue_no_repeated_count": "count(*) filter (dirt = 'queue_no_repeats') "
            "+ count(distinct (hospital_id, day)) filter (dirt = 'queue_no_repeats')",
            "receptions_cancelled_after_call_count": "count(*) filter (status = "
            "'auto_cancelled_absent' and (queue_no <= 5 or dirt = 'queue_no_repeats'))",
            "receptions_waits_over_30_minutes_count": "count(*) filter (status = 'completed' "
            "and booking_id is null and started_at - accepted_at > interval 30 minute)",
        },
        "fact_visit as v": {
            "pathway_visits_count": "count(*)",
            "pathway_prescription_visits_count": "count(*) filter (v.id in (select reception_id "
            "from prescription_now where reception_id is not null))",
            "pathway_injection_visits_count": f"count(*) filter (v.id in {injected})",
            "pathway_paid_visits_count": f"count(*) filter (v.id in {paid})",
            "pathway_closed_visits_count": "count(*) filter (v.is_closed)",
            "pathway_revisited_visits_count": "count(*) filter (v.is_closed and v.is_revisited)",
        },
        "payment_now as p join reception_now as r on p.reception_id = r.id "
        "where r.status = 'completed' and p.status in ('paid', 'refunded')": {
            "pathway_paid_krw": "sum(round(p.amount))",
        },
    }

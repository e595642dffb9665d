"""Events of cases: increments find what one run over everything finds, which is what a plain loop
makes of the same events; and a case of two years ago is read without the years between."""

import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from conftest import PROJECT, RawWarehouse

FACT = "booking_flow.fct_flow_events"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 6, 1)  # UTC
COLUMNS = """event_id, event_log, hospital_id, sequence_no, activity, is_terminal, is_last,
    occurred_date, delivery_count, prior_activity, seconds_since_prior, is_allowed, is_rework,
    case_variant, case_seconds, is_conforming, case_rework_count"""


@dataclass(frozen=True)
class Event:
    """An event, once; `log` is booking, reception or another event log, `at` is UTC."""

    log: str
    case: int
    activity: str
    at: datetime
    id: str


def seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


STEPS = {(row["entity"], row["event_type"]): row for row in seed("flow_event_types")}
ALLOWED = {
    (row["event_log"], row["from_activity"], row["to_activity"]) for row in seed("flow_transitions")
}


class Raw(RawWarehouse):
    """Loads of events of bookings, receptions and another log, and of the rows of the first two."""

    def load(
        self,
        arrived: Iterable[Event] = (),
        vanished: Iterable[Event] = (),
        places: Iterable[tuple[str, int, int]] = (),
    ) -> None:
        """Events in the order in which they arrive; `places` are log, case and hospital."""
        at = self.start_load("flow_events", "events")
        bookkeeping = {"_file": "f", "_load_id": self.loads, "_extracted_at": at}
        flow, other = [], []
        for event in arrived:
            self.line += 1
            row = {"occurred_at": event.at, "_line": self.line, **bookkeeping}
            if event.log == "repair":
                row |= {"event_log": event.log, "case_id": str(event.case)}
                other.append(row | {"activity": event.activity, "tie_breaker": int(event.id)})
            else:
                row |= {"event_id": event.id, "entity": event.log, "entity_id": event.case}
                flow.append(row | {"event_type": event.activity, "received_at": event.at})
        with duckdb.connect(str(self.file)) as connection:
            for table, rows in (("flow_events", flow), ("event_logs", other)):
                if rows:
                    connection.register("arrived", pa.Table.from_pylist(rows))
                    connection.execute(
                        f"insert into raw_{table}.events by name select * from arrived"
                    )
            for event in vanished:
                connection.execute(
                    "update raw_flow_events.events set _deleted_at = ?, _load_id = ?"
                    " where event_id = ?", [at, self.loads, event.id],
                )  # fmt: skip
            for log, case, hospital in places:
                connection.execute(f"delete from raw_app_db.{log}s where id = ?", [case])
                connection.execute(
                    f"insert into raw_app_db.{log}s by name select ? as id, ? as hospital_id,"
                    " ? as created_at, ? as _load_id, ? as _extracted_at",
                    [case, hospital, at, self.loads, at],
                )


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raw:
    monkeypatch.setenv("GOODOC_HOME", str(tmp_path))
    monkeypatch.setenv("GOODOC_TARGET", "duckdb")
    return Raw(tmp_path)


def expected(deliveries: Counter[Event], places: dict[tuple[str, int], int]) -> list[tuple]:
    """The fact by a plain loop over the events that are there, each with its deliveries."""
    cases: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in deliveries:
        if event.log == "repair" or (event.log, event.activity) in STEPS:
            cases[event.log, event.case].append(event)
    known = {log for log, _, _ in ALLOWED}
    rows = []
    for (log, case), events in cases.items():
        own = log in known
        order = {e: int(STEPS[log, e.activity]["step_order"] if own else e.id) for e in events}
        events.sort(key=lambda event: (event.at, order[event], event.id))
        before: list[Event] = []
        verdicts = []
        for event in events:
            prior = before[-1] if before else None
            step = (log, prior.activity if prior else "(start)", event.activity)
            verdicts.append(step in ALLOWED)
            is_last = len(before) + 1 == len(events)
            rework = sum(e.activity in [x.activity for x in events[:n]] for n, e in
                         enumerate(events))  # fmt: skip
            rows.append(
                (
                    event.id if own else None, log, places.get((log, case)), len(before) + 1,
                    event.activity,
                    STEPS[log, event.activity]["is_terminal"] == "true" if own else None,
                    is_last, (event.at + 9 * HOUR).date(), deliveries[event] if own else 1,
                    step[1], seconds(prior, event) if prior else None,
                    verdicts[-1] if own else None, event.activity in [e.activity for e in before],
                    *(
                        (
                            " > ".join(e.activity for e in events), seconds(events[0], event),
                            all(verdicts) if own else None, rework,
                        )
                        if is_last else (None,) * 4
                    ),
                )
            )  # fmt: skip
            before.append(event)
    return sorted(rows, key=str)


def seconds(earlier: Event, later: Event) -> int:
    """Marks of full seconds that were passed."""
    return int(later.at.timestamp() // 1 - earlier.at.timestamp() // 1)


def found(raw: Raw) -> list[tuple]:
    rows = raw.query(f"select {COLUMNS} from {FACT}")
    return sorted(((row[0] if row[1] != "repair" else None, *row[1:]) for row in rows), key=str)


def random_events(randomly: random.Random) -> list[Event]:
    """Cases of days to weeks, with events of one instant, a few that began two years ago."""
    activities = {log: [a for each, a in STEPS if each == log] for log in ("booking", "reception")}
    activities["repair"] = ["register", "test", "repair"]
    events = []
    for log, names in activities.items():
        for number in range(120):
            is_old = number < 4
            case = number + 1 if is_old else 5_000_000 + 1_000 * number
            at = START + randomly.randrange(20 * 24) * HOUR - is_old * 730 * DAY
            for _ in range(randomly.randrange(1, 8)):
                name = randomly.choice([*names, "unheard"] if log != "repair" else names)
                events.append(Event(log, case, name, at, str(len(events) + 100)))
                at += randomly.choice([0, 0.0003, 1, 5, 15, 30 * 24, 400]) * HOUR
            if is_old:
                events.append(Event(log, case, names[-1], START + 30 * DAY, str(len(events) + 100)))
    return events


def test_daily_runs_of_late_events_equal_one_run(raw: Raw) -> None:
    randomly = random.Random(3)
    arrivals = defaultdict(list)
    for event in random_events(randomly):
        # most come on their day, some up to a week late, a few after weeks, some twice
        (delay,) = randomly.choices([0, randomly.randrange(1, 8), randomly.randrange(8, 50)],
                                    [80, 17, 3])  # fmt: skip
        day = max(0, (event.at - START).days)
        arrivals[day + delay].append(event)
        if randomly.random() < 0.1 and event.log != "repair":
            arrivals[day + randomly.randrange(delay, delay + 4)].append(event)
    numbers = {(e.log, e.case) for day in arrivals.values() for e in day if e.log != "repair"}
    there: Counter[Event] = Counter()
    places: dict[tuple[str, int], int] = {}
    gone: set[Event] = set()
    runs = [0, 8, 9, 16, 31, 40, 400]
    for since, until in zip([-1, *runs], runs, strict=False):
        arrived = [each for day in range(since + 1, until + 1) for each in arrivals[day]]
        arrived = [each for each in arrived if each not in gone]
        randomly.shuffle(arrived)
        own = sorted((e for e in there if e.log != "repair"), key=lambda event: event.id)
        vanished = {event for event in own if randomly.random() < 0.03}
        # a case's row comes with another load than its events, and moves to another clinic
        moved = {each: randomly.randrange(9) for each in sorted(numbers) if randomly.random() < 0.3}
        gone |= vanished
        raw.load(
            [each for each in arrived if each not in gone], vanished,
            [(*case, hospital) for case, hospital in moved.items()],
        )  # fmt: skip
        there.update(arrived)
        there = Counter({event: count for event, count in there.items() if event not in gone})
        places |= moved
        raw.build("fct_flow_events")
        assert found(raw) == expected(there, places)
    by_increments = raw.query(f"select * from {FACT} order by all")
    assert len(by_increments) > 800
    raw.build("fct_flow_events", "--full-refresh")
    assert raw.query(f"select * from {FACT} order by all") == by_increments


def test_a_case_of_two_years_ago_is_read_without_the_years_between(raw: Raw) -> None:
    days, cases = 730, 700  # a million events, two of each case
    raw.start_load("flow_events", "events")
    raw.query(
        f"""
        insert into raw_flow_events.events by name
        select concat(n, event_type) as event_id, 'booking' as entity, n as entity_id, event_type,
            timestamp '2024-06-01' + (n // {cases} + i) * interval 1 day as occurred_at,
            occurred_at as received_at, 'f' as _file, n as _line, 1 as _load_id,
            timestamp '2026-07-01' as _extracted_at
        from range({days * cases}) as bookings (n),
            (values (0, 'requested'), (1, 'confirmed')) as steps (i, event_type)
        order by occurred_at, n
        """
    )
    raw.build("fct_flow_events")
    newest = datetime(2024, 6, 1) + days * DAY
    raw.load([Event("booking", cases * days, "requested", newest, "new")])
    raw.build("fct_flow_events")
    usual = rows_scanned(raw)
    raw.load([Event("booking", 5, "cancelled_patient", newest, "late")])
    raw.build("fct_flow_events")
    late = f"select case_variant, case_seconds from {FACT} where event_id = 'late'"
    assert raw.query(late) == [("requested > confirmed > cancelled_patient", days * 86400)]
    with_old_case = rows_scanned(raw)
    print(f"\nrows scanned of {2 * days * cases:,}: {usual}, with an old case {with_old_case}")
    for name, rows in with_old_case.items():
        assert rows < 2 * days * cases / 3 and rows <= 2 * usual[name] + 2 * ROW_GROUP


ROW_GROUP = 122_880  # DuckDB skips these or reads them


def rows_scanned(raw: Raw) -> dict[str, int]:
    """By model, how many rows the query of its newest run scans."""
    found = {}
    for file in (raw.home / "target" / "compiled").rglob("*.sql"):
        if file.stem in ("fct_flow_events", "int_booking_flow__event_changes"):
            ((_, profile),) = raw.query(f"explain (analyze, format json) {file.read_text()}")
            found[file.stem] = json.loads(profile)["query"]["total_rows_scanned"]
    assert len(found) == 2
    return found

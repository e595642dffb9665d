"""Process mining against a plain count of raw events, any order of arrival, and a log as a CSV."""

import csv
import gzip
import hashlib
import json
import random
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import pytest

import simulator
from conftest import FIGURES, PROJECT, Goodoc, truth
from extract_load import read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
from test_funnels import Home

Query = Callable[[str], list[tuple[Any, ...]]]
# log, case, instant, order of ties, activity, hospital
Event = tuple[str, str, datetime, tuple, str, int | None]
MODELS = ("+fct_flow_transitions_daily", "+fct_flow_variants_monthly")
FACTS = ("fct_flow_events", "fct_flow_transitions_daily", "fct_flow_variants_monthly")
START = "(start)"
FLOW_FIGURES = {name: query for name, query in FIGURES.items() if name.startswith("flow_")}


def kst(instant: datetime) -> date:
    return (instant + timedelta(hours=9)).date()


def seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def quantile(values: list[int], tenths: int) -> int | None:
    """The smallest value that so many tenths don't exceed."""
    return sorted(values)[ceil(len(values) * tenths / 10) - 1] if values else None


def share(part: int, whole: int) -> float:
    return pytest.approx(part / whole, abs=1e-6)


def raw_events(query: Query) -> list[Event]:
    """What happened to bookings and receptions, once each."""
    order = {(s["entity"], s["event_type"]): int(s["step_order"]) for s in seed("flow_event_types")}
    place = {
        (entity, key): hospital
        for entity, table in (("booking", "bookings"), ("reception", "receptions"))
        for key, hospital in query(
            f"select id, hospital_id from raw_app_db.{table} where _deleted_at is null"
        )
    }
    rows = query(
        "select distinct event_id, lower(trim(entity)), entity_id, lower(trim(event_type)),"
        " occurred_at from raw_flow_events.events where _deleted_at is null"
    )
    return [
        (entity, str(key), at, (order[entity, activity], event), activity, place.get((entity, key)))
        for event, entity, key, activity, at in rows
        if (entity, activity) in order
    ]


class Count:
    """The rows of both marts, by their keys, from a list of events."""

    def __init__(self, events: Iterable[Event]):
        transitions = {tuple(row.values()) for row in seed("flow_transitions")}
        ruled = {log for log, *_ in transitions}
        ends = {
            (row["entity"], row["event_type"])
            for row in seed("flow_event_types")
            if row["is_terminal"] == "true"
        }
        cases: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in events:
            cases[event[:2]].append(event)
        moved: dict[tuple, list[tuple]] = defaultdict(list)
        took: dict[tuple, dict[str, list[tuple]]] = defaultdict(lambda: defaultdict(list))
        for (log, case), those in cases.items():
            those.sort(key=lambda event: event[2:4])
            before, right, seen = None, True, Counter()
            for event in those:
                _, _, at, _, activity, hospital = event
                step = (log, before[4] if before else START, activity)
                allowed = step in transitions if log in ruled else None
                right = right and allowed
                seconds = whole(at) - whole(before[2]) if before else None
                key = (log, hospital, kst(at), *step[1:], allowed)
                moved[key].append((case, seconds, seen[activity] > 0))
                seen[activity] += 1
                before = event
            variant = " > ".join(event[4] for event in those)
            month = kst(before[2]).replace(day=1)
            done = (log, before[4]) in ends if log in ("booking", "reception") else None
            took[log, month][variant].append(
                (whole(before[2]) - whole(those[0][2]), right, done, max(seen.values()) > 1)
            )
        self.transitions = {key: self.transition(steps) for key, steps in moved.items()}
        self.variants = {
            (*key, variant): row
            for key, variants in took.items()
            for variant, row in self.month(key[0], variants).items()
        }

    @staticmethod
    def transition(steps: list[tuple]) -> tuple:
        seconds = [each for _, each, _ in steps if each is not None]
        return (
            len(steps), len({case for case, *_ in steps}), sum(again for *_, again in steps),
            sum(seconds) if seconds else None, quantile(seconds, 5), quantile(seconds, 9),
        )  # fmt: skip

    @staticmethod
    def month(log: str, variants: dict[str, list[tuple]]) -> dict[str, tuple]:
        def key(variant: str) -> tuple[int, str]:
            digest = hashlib.md5(f"{log}|{variant}".encode()).hexdigest()
            return -len(variants[variant]), digest

        total, covered, rows = sum(map(len, variants.values())), 0, {}
        for rank, variant in enumerate(sorted(variants, key=key), 1):
            cases = variants[variant]
            _, right, done, _ = cases[0]
            covered += len(cases)
            rows[variant] = (
                rank, len(cases), share(len(cases), total), share(covered, total), right,
                variant.count(" > ") + 1,
                None if done is None else len(cases) * done,
                None if done is None else len(cases) * (not done),
                sum(again for *_, again in cases),
                quantile([seconds for seconds, *_ in cases], 5),
                quantile([seconds for seconds, *_ in cases], 9),
            )  # fmt: skip
        return rows


def whole(instant: datetime) -> int:
    """The instant in whole seconds."""
    return (instant - datetime(2000, 1, 1)) // timedelta(seconds=1)


def marted(query: Query) -> tuple[dict[tuple, tuple], dict[tuple, tuple]]:
    transitions = query(
        "select event_log, hospital_id, occurred_date, from_activity, to_activity, is_allowed,"
        " transition_count, case_count, rework_count, total_seconds, p50_seconds, p90_seconds"
        " from booking_flow.fct_flow_transitions_daily"
    )
    variants = query(
        "select event_log, month_start_date, variant, rank_in_month, case_count,"
        " case_share_rate::double, coverage_rate::double, is_conforming, activity_count,"
        " completed_case_count, open_case_count, rework_case_count, p50_case_seconds,"
        " p90_case_seconds from booking_flow.fct_flow_variants_monthly"
    )
    return {row[:6]: row[6:] for row in transitions}, {row[:3]: row[3:] for row in variants}


def test_every_row_is_what_a_plain_count_gives(analysed: Goodoc) -> None:
    events = raw_events(analysed.query)
    expected = Count(events)
    transitions, variants = marted(analysed.query)
    assert len(transitions) > 1_000 and len({month for _, month, _ in variants}) > 1
    assert transitions == expected.transitions
    assert variants == expected.variants
    # what makes it hard is there: ties, rework, broken rules, medians that no row has alone
    at = Counter((log, case, instant) for log, case, instant, *_ in events)
    assert max(at.values()) > 1
    assert any(row[2] for row in transitions.values())
    assert any(key[5] is False for key in transitions) and None not in {k[1] for k in transitions}
    assert {row[4] for row in variants.values()} == {True, False}


def test_coverage_and_conformance_are_those_of_the_cases(analysed: Goodoc) -> None:
    ((last, rules),) = analysed.query(
        "select count(*), sum(is_conforming::int) from booking_flow.fct_flow_events where is_last"
    )
    ((cases, right, ends),) = analysed.query(
        "select sum(case_count), sum(case when is_conforming then case_count end),"
        " count(*) filter (coverage_rate = 1) from booking_flow.fct_flow_variants_monthly"
    )
    assert (cases, right) == (last, rules)
    assert ends == len(
        analysed.query(
            "select distinct event_log, month_start_date"
            " from booking_flow.fct_flow_variants_monthly"
        )
    )


# -- increments ----------------------------------------------------------------------------------


def facts(home: Home, load_id: bool = False) -> list[list[tuple]]:
    columns = "*" if load_id else "* exclude load_id"
    return [home.query(f"select {columns} from booking_flow.{fact} order by all") for fact in FACTS]


def test_any_order_of_arrival_gives_the_same_sequences(tmp_path: Path) -> None:
    company = tmp_path / "company"
    simulator.simulate(company, days=36, scale=0.02, seed=5)
    folder = company / "flow_events"
    lines = [
        line
        for file in sorted(folder.glob("*.gz"))
        for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    ]
    straight = Home(tmp_path / "straight", company, MODELS)
    straight.load()
    manifest = straight.build()
    assert {
        name: float(straight.query(query)[0][0])
        for name, query in FLOW_FIGURES.items()
    } == {name: truth(company)["figures"][name] for name in FLOW_FIGURES}  # fmt: skip

    for file in folder.glob("*.gz"):
        file.unlink()
    random.Random(3).shuffle(lines)
    shuffled = Home(tmp_path / "shuffled", company, MODELS)
    for part in range(3):
        content = gzip.compress(b"".join(lines[part::3]), mtime=0)
        (folder / f"2026-08-0{part + 1}.jsonl.gz").write_bytes(content)
        shuffled.load(*(["flow_events"] if part else []))
        shuffled.build(manifest=manifest)
        assert part == 2 or facts(shuffled) != facts(straight)
    assert len(facts(straight)[0]) > 1_000
    assert facts(shuffled) == facts(straight)
    increments = facts(shuffled, load_id=True)
    shuffled.build("--full-refresh", manifest=manifest)
    assert facts(shuffled, load_id=True) == increments


# -- a log as a CSV ------------------------------------------------------------------------------

DOCUMENT = (PROJECT / "docs" / "process_mining.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.S)


def table(heading: str) -> list[list[Any]]:
    """The rows of the document's table below a line: numbers as such, blanks as None."""
    rows = []
    for line in DOCUMENT.partition(f"{heading}\n\n")[2].splitlines():
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        number = r"\d+(\.\d+)?"
        rows.append([float(c) if re.fullmatch(number, c) else c or None for c in cells])
    return rows[2:]


class Logs(Home):
    """A home whose only source is a folder of event logs."""

    def __init__(self, tmp_path: Path):
        super().__init__(tmp_path / "home", None, MODELS)
        self.root = tmp_path / "logs"
        self.root.mkdir()
        self.goodoc.environment["EVENT_LOGS_DIR"] = str(self.root)
        with DuckDBWarehouse(self.folder / "warehouse.duckdb") as warehouse:
            for source in read_sources(PROJECT / "extract_load" / "sources").values():
                warehouse.prepare(source)

    def drop(self, name: str, text: str) -> None:
        data = text.encode()
        (self.root / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    def loaded(self) -> dict[tuple[str, int | None], str]:
        """Loads. Reasons of what lies in quarantine then, by file and line."""
        self.goodoc("load", "event_logs")
        listed = self.goodoc("quarantine", "show", "event_logs", "events", "--json")
        assert listed.returncode == 0, listed.stderr
        return {(row["file"], row["line"]): row["reason"] for row in json.loads(listed.stdout)}


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def parsed(log: str, text: str, first_line: int = 2) -> list[Event]:
    """The lines of an XES log as events; an instant without an offset is Korean."""
    events = []
    for line, row in enumerate(csv.DictReader(text.splitlines()), first_line):
        at = datetime.fromisoformat(row["time:timestamp"])
        at = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at - timedelta(hours=9)
        events.append((log, row["case:concept:name"], at, (line,), row["concept:name"], None))
    return events


def in_order(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return sorted((list(row) for row in rows), key=str)


def test_the_example_of_the_document_comes_out_as_it_says(logs: Logs) -> None:
    (log,) = fenced("csv")
    logs.drop("repair_2026-06.csv", log)
    assert logs.loaded() == {}
    built = logs.goodoc("build")
    assert built.returncode == 0, built.stderr
    assert in_order(
        logs.query(
            "select occurred_date::varchar, from_activity, to_activity, transition_count::double,"
            " total_seconds::double, p50_seconds::double, p90_seconds::double, rework_count::double"
            " from booking_flow.fct_flow_transitions_daily"
        )
    ) == in_order(table("`fct_flow_transitions_daily`:"))
    assert in_order(
        logs.query(
            "select variant, case_count::double, case_share_rate::double,"
            " rework_case_count::double, p50_case_seconds::double, p90_case_seconds::double"
            " from booking_flow.fct_flow_variants_monthly"
        )
    ) == in_order(table("`fct_flow_variants_monthly`, June 2026:"))
    # the plain count agrees, so neither was fitted to the other
    counted = Count(parsed("repair", log))
    assert marted(logs.query) == (counted.transitions, counted.variants)

    # its questions, and the picture
    answers = [logs.query(query) for query in fenced("sql")]
    process_map, bottleneck, coverage, conformance, broken, again, again_share = answers
    (drawn,) = fenced("mermaid")
    arrows = re.findall(r'(\w+)(?:\(.*\))? -->\|"?(\d+) ×(?: (\d+) s)?"?\| (\w+)', drawn)
    assert in_order(
        (before.replace("start", START), after, int(times), int(seconds) if seconds else None)
        for before, times, seconds, after in arrows
    ) == in_order(process_map)
    assert bottleneck == [("reported", "repaired", 32400)]
    assert coverage == [(date(2026, 6, 1), 3)]
    assert (conformance, broken) == ([], [])
    assert again == [("tested", 2, 6)]
    assert again_share == [(date(2026, 6, 1), 0.4)]


BAD = """\
,tested,2026-06-03 10:00:00,lee
R-9,,2026-06-03 10:00:00,lee
R-9,tested,2026/06/03 10:00,lee
R-9,tested,2099-01-01 00:00:00,lee
R-9,tested
"""
LATE = """\
R-2,closed,2026-06-01T11:10:00+09:00,lee
R-5,repaired,2026-07-01 00:10:00,kim
R-5,closed,2026-07-01 00:10:00,kim
"""
# two events of one instant, the later one first, and order where the log has it
PARTS = """\
케이스,활동,시각,순서
P-1,발송,2026-06-30 23:59:59.500,2
P-1,주문,2026-06-30 23:59:59.500,1
P-1,도착,2026-07-02 00:00:00.250,
"""
STARTS = """\
Case ID,Activity,Complete Timestamp,lifecycle:transition
C-1,wash,2026-06-01 09:00,start
C-1,wash,2026-06-01 09:20,complete
C-1,dry,2026-06-01 09:50,COMPLETE
"""


def test_files_change_overlap_and_come_late(logs: Logs) -> None:
    (log,) = fenced("csv")
    header, _, rest = log.partition("\n")
    logs.drop("repair_2026-06.csv", log)
    logs.loaded()
    manifest = logs.build()
    before = marted(logs.query)
    assert (date(2026, 6, 1), "reported > tested") in {key[1:] for key in before[1]}

    changed = rest.replace("R-1,closed", "R-1,returned").replace("R-3,closed", "R-3,lost")
    changed = "".join(line for line in changed.splitlines(True) if "R-4" not in line)
    logs.drop("repair_2026-06.csv", f"{header}\n{changed}")
    logs.drop("repair_late.csv.gz", f"{header}\n{BAD}{LATE}")
    logs.drop("parts_2026.csv", PARTS)
    logs.drop("wash-line_2026.csv", STARTS)
    for name in ("booking_2026.csv", "reception_2026.csv", "nameless.csv"):
        logs.drop(name, log)
    rejected = logs.loaded()
    late = "repair_late.csv.gz"
    reasons = (
        "key case_id is missing",
        "key activity is missing",
        "occurred_at is no timestamp",
        "occurred_at lies in the future",
        "fields where",
    )
    for line, reason in enumerate(reasons, 2):
        assert reason in rejected.pop((late, line))
    refused = {name for (name, line), why in rejected.items() if "doesn't match" in why}
    assert refused == {"booking_2026.csv", "reception_2026.csv", "nameless.csv"}
    assert len(rejected) == 3
    logs.build(manifest=manifest)

    # one event stands in both files: of ties the line where it came first counts
    events = parsed("repair", f"{header}\n{changed}")
    events += parsed("repair", f"{header}\n{LATE}", first_line=7)[1:]
    parts = [("P-1", (2026, 6, 30, 14, 59, 59, 500_000), 1, "주문"),
             ("P-1", (2026, 6, 30, 14, 59, 59, 500_000), 2, "발송"),
             ("P-1", (2026, 7, 1, 15, 0, 0, 250_000), 4, "도착")]  # fmt: skip
    events += [("parts", case, datetime(*at), (n,), what, None) for case, at, n, what in parts]
    events += [("wash-line", "C-1", datetime(2026, 6, 1, 0, 20), (3,), "wash", None),
               ("wash-line", "C-1", datetime(2026, 6, 1, 0, 50), (4,), "dry", None)]  # fmt: skip
    counted = Count(events)
    assert marted(logs.query) == (counted.transitions, counted.variants)
    (moved,) = [row for key, row in counted.variants.items() if key[1] == date(2026, 7, 1)
                and key[0] == "repair"]  # fmt: skip
    assert moved[1] == 1 and "reported > tested" not in {key[2] for key in counted.variants}
    assert counted.variants["parts", date(2026, 7, 1), "주문 > 발송 > 도착"][9:] == (86401, 86401)
    assert logs.query("select count(*) from booking_flow.fct_flow_events where length(case_id) = 64"
                      ) == [(len(events),)]  # fmt: skip

    increments = facts(logs, load_id=True)
    logs.build("--full-refresh", manifest=manifest)
    assert facts(logs, load_id=True) == increments


def test_a_home_without_a_key_gets_one_as_the_document_says(logs: Logs) -> None:
    (logs.folder / "pseudonym.key").unlink()
    (log,) = fenced("csv")
    logs.drop("repair_2026-06.csv", log)
    assert "there is no pseudonym key" in logs.goodoc("load", "event_logs").stderr
    (command,) = fenced("sh")
    subprocess.run(["bash", "-c", command], env=logs.goodoc.environment, check=True)
    key = (logs.folder / "pseudonym.key").read_bytes()
    assert logs.loaded() == {}
    assert logs.query("select count(distinct length(case_id)) from raw_event_logs.events") == [(1,)]
    # once more it takes no key away
    again = subprocess.run(["bash", "-c", command], env=logs.goodoc.environment, check=False)
    assert again.returncode and (logs.folder / "pseudonym.key").read_bytes() == key


def test_the_template_is_a_log_that_loads(logs: Logs) -> None:
    template = PROJECT / "extract_load" / "templates" / "event_logs.csv"
    logs.drop("repair_template.csv", template.read_text(encoding="utf-8"))
    assert logs.loaded() == {}
    assert logs.query("select event_log, activity, occurred_at from raw_event_logs.events") == [
        ("repair", "requested", datetime(2026, 6, 1))
    ]

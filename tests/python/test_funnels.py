"""Funnels against a plain count of raw events, and against the order in which events arrive."""

import json
import random
import re
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from conftest import PROJECT, Goodoc

FUNNELS = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]["funnels"]
Query = Callable[[str], list[tuple[Any, ...]]]
Key = tuple[date, str, str, str, int]  # cohort day, funnel, segment type, segment, step
SECOND = timedelta(seconds=1)
KEY = b"a key for tests, 32 bytes long.."
MODELS = ("+fct_funnel_daily", "+fct_conversions")


def kst(instant: datetime) -> date:
    return (instant + timedelta(hours=9)).date()


def raw_events(query: Query) -> list[dict[str, Any]]:
    """What happened, once each, with the person: raw events, conversions and reviews."""
    names = (
        "key", "at", "name", "visitor", "person", "hospital_id", "event_product_id",
        "screen", "platform", "app_version", "utm_source",
    )  # fmt: skip
    rows = query(
        "select event_id, any_value(occurred_at), any_value(lower(trim(event_name))),"
        " any_value(user_pseudo_id), null, any_value(hospital_id), any_value(event_product_id),"
        " any_value(trim(screen)), any_value(lower(trim(platform))),"
        " any_value(trim(app_version)), any_value(lower(trim(utm_source)))"
        " from raw_app_events.events where _deleted_at is null and user_pseudo_id is not null"
        " group by event_id"
    )
    rows += query(
        "select conversion_id, converted_at, conversion_type, null, member_key, hospital_id,"
        " event_product_id, null, null, null, null from marketing.fct_conversions"
        " where member_key is not null and converted_at is not null"
    )
    rows += query(
        "select id, written_at, 'review', null, member_id, hospital_id, event_product_id,"
        " null, null, null, null from raw_app_db.reviews"
        " where _deleted_at is null and member_id is not null"
    )
    events = [dict(zip(names, (str(row[0]), *row[1:]), strict=True)) for row in rows]
    spans = defaultdict(list)
    for visitor, member, start, end in query(
        "select visitor_key, named_member_key, valid_from, valid_to"
        " from intermediate.int_marketing__visitor_members"
    ):
        spans[visitor].append((member, start, end))
    for event in events:
        if event["visitor"]:
            event["person"] = event["visitor"]
            for member, start, end in spans[event["visitor"]]:
                if start <= event["at"] and (end is None or event["at"] < end):
                    event["person"] = member
    return events


def furthest(steps: list[list[dict]], window: timedelta) -> Iterator[list[dict]]:
    """Of each day's attempts the one that comes furthest, as the events that it reached."""
    best: dict[date, list[dict]] = {}
    for anchor in sorted(steps[0], key=lambda event: (event["at"], event["key"])):
        reached = [anchor]
        for candidates in steps[1:]:
            following = [
                event
                for event in candidates
                if event["at"] > reached[-1]["at"]
                and whole(event["at"]) - whole(anchor["at"]) <= window
            ]
            if not following:
                break
            reached.append(min(following, key=lambda event: (event["at"], event["screen"] or "")))
        day = kst(anchor["at"])
        if day not in best or len(reached) > len(best[day]):
            best[day] = reached
    yield from best.values()


def whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def counted(query: Query, funnels: list[dict]) -> dict[Key, tuple[int, int, int | None]]:
    """The rows of the mart: how many entered, how many reached the step, their median seconds."""
    events = raw_events(query)
    newest = max(kst(event["at"]) for event in events if event["visitor"])
    entered: dict[Key, int] = defaultdict(int)
    seconds: dict[Key, list[int | None]] = defaultdict(list)
    for funnel in funnels:
        window = timedelta(hours=funnel["window_hours"])
        last_closed = newest - timedelta(days=1 + ceil(funnel["window_hours"] / 24))
        attempts: dict[tuple, list[list[dict]]] = {}
        for event in events:
            for place, step in enumerate(funnel["steps"]):
                on_screen = event["screen"] in step.get("screens", [event["screen"]])
                item = event[funnel["item"]] if "item" in funnel else "any"
                if event["name"] in step["events"] and on_screen and item is not None:
                    empty = [[] for _ in funnel["steps"]]
                    steps = attempts.setdefault((event["person"], item), empty)
                    steps[place].append(event)
        for steps in attempts.values():
            for reached in furthest(steps, window):
                day = kst(reached[0]["at"])
                if day > last_closed:
                    continue
                is_completed = len(reached) == len(funnel["steps"])
                segments = {"all": "all"} | {
                    kind: "(completed)"
                    if kind == "exit_screen" and is_completed
                    else (reached[-1]["screen"] if kind == "exit_screen" else reached[0][kind])
                    or "(none)"
                    for kind in funnel["segments"]
                }
                for kind, segment in segments.items():
                    for number in range(1, len(steps) + 1):
                        key = (day, funnel["name"], kind, segment, number)
                        entered[key] += 1
                        if number <= len(reached):
                            seconds[key].append(
                                (
                                    whole(reached[number - 1]["at"])
                                    - whole(reached[number - 2]["at"])
                                )
                                // SECOND
                                if number > 1
                                else None
                            )
    return {
        key: (
            count,
            len(seconds[key]),
            None if key[-1] == 1 or not seconds[key]
            else sorted(seconds[key])[(len(seconds[key]) + 1) // 2 - 1],
        )
        for key, count in entered.items()
    }  # fmt: skip


def marted(query: Query) -> dict[Key, tuple[int, int, int | None]]:
    return {
        row[:5]: row[5:]
        for row in query(
            "select cohort_date, funnel, segment_type, segment, step_number, entered_count,"
            " reached_count, median_seconds_to_step from marketing.fct_funnel_daily"
        )
    }


def test_every_row_is_what_a_plain_count_gives(analysed: Goodoc) -> None:
    expected = counted(analysed.query, FUNNELS)
    found = marted(analysed.query)
    assert {key[1] for key in found} == {funnel["name"] for funnel in FUNNELS}
    assert len(found) > 5_000
    assert found == expected


def test_rates_and_intervals_follow_from_the_counts(analysed: Goodoc) -> None:
    rows = analysed.query(
        "select f.entered_count, f.reached_count, p.reached_count, f.overall_rate, f.step_rate,"
        " f.wilson_low, f.wilson_high, f.step_wilson_low, f.step_wilson_high"
        " from marketing.fct_funnel_daily as f join marketing.fct_funnel_daily as p"
        " using (cohort_date, funnel, segment_type, segment)"
        " where p.step_number = greatest(f.step_number - 1, 1)"
    )
    for entered, reached, asked, overall, step, *ends in rows:
        assert float(overall) == pytest.approx(reached / entered, abs=1e-6)
        for base, (low, high) in ((entered, ends[:2]), (asked, ends[2:])):
            if base == 0:
                assert step is None and low is None and high is None
                continue
            rate, z = reached / base, 1.96
            middle = rate + z * z / (2 * base)
            spread = z * sqrt(rate * (1 - rate) / base + z * z / (4 * base * base))
            assert float(low) == pytest.approx((middle - spread) / (1 + z * z / base), abs=2e-6)
            assert float(high) == pytest.approx((middle + spread) / (1 + z * z / base), abs=2e-6)


# -- increments ----------------------------------------------------------------------------------


class Home:
    """A warehouse with a company's funnels, or other `models`, and whatever leads to them."""

    def __init__(self, folder: Path, company: Path | None, models: tuple[str, ...] = MODELS):
        folder.mkdir()
        self.models = models
        (folder / "pseudonym.key").write_bytes(KEY)
        self.folder, self.goodoc = folder, Goodoc(folder)
        if company:
            self.goodoc.use(company)
        self.query = self.goodoc.query
        shutil.copyfile(PROJECT / "profiles.example.yml", folder / "profiles.yml")

    def load(self, *sources: str) -> None:
        result = self.goodoc("load", *sources)
        assert result.returncode == 0, result.stderr

    def build(self, *options: str, manifest: Manifest | None = None) -> Manifest:
        """What leads to the models. A manifest saves the next build the reading of the project."""
        folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(self.folder)]
        folders += ["--target-path", str(self.folder / "target")]
        folders += ["--log-path", str(self.folder / "logs")]
        build = ["--quiet", "build", "--resource-type", "model", "seed", "--select", *self.models]
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("GOODOC_HOME", str(self.folder))
            environment.setenv("GOODOC_TARGET", "duckdb")
            if not manifest:
                manifest = dbtRunner().invoke(["--quiet", "parse", *folders, *options]).result
            result = dbtRunner(manifest=manifest).invoke([*build, *folders, *options])
        DuckDBConnectionManager.close_all_connections()
        assert result.success, (result.exception, result.result and list(result.result))
        return manifest

    def funnels(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        return (
            self.query("select * exclude load_id from marketing.fct_funnel_daily order by all"),
            self.query(
                "select * exclude load_id from intermediate.int_marketing__funnel_attempt_steps"
                " order by all"
            ),
        )


def change_product_database(company: Path) -> None:
    """Applications and reviews vanish, a booking moves, a reception comes to its end later."""
    with sqlite3.connect(company / "app_db" / "app.sqlite") as database:
        database.execute("delete from event_leads where id % 7 = 0")
        database.execute("delete from reviews where id % 5 = 0")


def test_any_order_of_arrival_gives_the_same_funnels(company: Path, tmp_path: Path) -> None:
    events, aside = company / "app_events", company / "aside"
    files = [path.relative_to(events) for path in sorted(events.rglob("*.*")) if path.is_file()]
    # whole days come late or early, so that days close before all their events are there
    days = sorted({re.search(r"\d{4}-\d\d-\d\d|\d{8}", str(file))[0] for file in files})
    random.Random(5).shuffle(days)
    events.rename(aside)
    chain = Home(tmp_path / "chain", company)
    manifest = None
    for part in range(3):
        for file in files:
            if re.search(r"\d{4}-\d\d-\d\d|\d{8}", str(file))[0] in days[part::3]:
                (events / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(aside / file, events / file)
        chain.load(*(["app_events"] if part else []))
        manifest = chain.build(manifest=manifest)
        before = chain.funnels()
    change_product_database(company)
    chain.load("app_db")
    chain.build(manifest=manifest)
    assert chain.funnels() != before

    whole_load = Home(tmp_path / "whole", company)
    whole_load.load()
    whole_load.build(manifest=manifest)
    assert len(chain.funnels()[0]) > 500
    assert chain.funnels() == whole_load.funnels()
    loads = "select cohort_date, funnel, max(load_id) from {} group by all order by all"
    incremental = chain.query(loads.format("marketing.fct_funnel_daily"))
    chain.build("--full-refresh", manifest=manifest)
    assert chain.query(loads.format("marketing.fct_funnel_daily")) == incremental


def test_a_funnel_that_is_declared_works(company: Path, tmp_path: Path) -> None:
    declared = [
        {
            "name": "search", "label_ko": "검색", "window_hours": 2, "segments": ["utm_source"],
            "steps": [
                {"name": "start", "label_ko": "시작", "events": ["app_open", "view_event_list"]},
                {"name": "search", "label_ko": "검색", "events": ["search"], "screens": ["search"]},
            ],
        },
        {
            "name": "call", "label_ko": "전화", "window_hours": 49, "item": "hospital_id",
            "segments": ["exit_screen"],
            "steps": [
                {"name": "view", "label_ko": "조회", "events": ["view_hospital"]},
                {"name": "review", "label_ko": "리뷰", "events": ["view_review"]},
                {"name": "call", "label_ko": "전화", "events": ["click_call", "booking"]},
            ],
        },
    ]  # fmt: skip
    home = Home(tmp_path / "home", company)
    home.load()
    home.build("--vars", json.dumps({"funnels": declared}))
    found = marted(home.query)
    assert {key[1:4:2] for key in found} >= {("search", "all"), ("call", "(completed)")}
    assert found == counted(home.query, declared)

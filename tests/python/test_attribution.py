"""Attribution against brute force: loops, all subsets and matrices in Python against the SQL.

The attribution models are run by dbt in a small project whose inputs are seeds, on each engine, and
compared row by row; then what a whole company's marts hold is held against the same brute force.
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg2
import pytest

from conftest import PROJECT, Goodoc
from engines import postgres_server, shared_bigquery
from goodoc.settings import Postgres

MODELS = (
    "first", "last", "last_non_direct", "linear", "position", "time_decay", "channel_equal",
    "shapley", "markov",
)  # fmt: skip
CHANNELS = (
    "app_network", "direct", "display", "message", "organic_search", "organic_social",
    "paid_search", "paid_social", "referral", "video",
)  # fmt: skip
TYPES = ("application", "booking", "visit", "payment")
# what the last of the credits' six decimals may be off by: a credit is the difference of two
CLOSE = 1.5e-6


@dataclass(frozen=True)
class Conversion:
    id: str
    type: str
    created: date
    at: datetime | None
    member: str | None
    value: int = 0


@dataclass(frozen=True)
class Touch:
    id: str
    at: datetime
    person: str
    channel: str
    is_member: bool = True

    @property
    def day(self) -> date:
        """The Korean day."""
        return (self.at + timedelta(hours=9)).date()


@dataclass
class Case:
    """What the attribution is made from; `merges`: accounts that went into another."""

    conversions: list[Conversion] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    merges: dict[str, str] = field(default_factory=dict)

    def path(self, conversion: Conversion) -> list[Touch]:
        """The touches of the conversion's person in the 30 days before it, in order."""
        if conversion.at is None or conversion.member is None:
            return []
        member = self.merges.get(conversion.member, conversion.member)
        return sorted(
            (
                touch
                for touch in self._by_person[member]
                if touch.is_member
                and touch.at <= conversion.at
                and seconds(touch.at, conversion.at) <= 30 * 86400
                and -37 <= (touch.day - conversion.created).days <= 7
            ),
            key=lambda touch: (touch.at, touch.id),
        )

    @property
    def _by_person(self) -> dict[str, list[Touch]]:
        if "_people" not in vars(self):
            self._people = defaultdict(list)
            for touch in self.touches:
                self._people[touch.person].append(touch)
        return self._people

    def paths(self, month: date, kind: str) -> list[tuple[list[str], bool]]:
        """Channels in order, and whether it converted, of all paths of a month for a type."""
        own = [c for c in self.conversions if c.type == kind and c.created.replace(day=1) == month]
        found = [([touch.channel for touch in self.path(c)], True) for c in own]
        converters = {self.merges.get(c.member, c.member) for c in own}
        for person, touches in self._by_person.items():
            within = [touch for touch in touches if touch.day.replace(day=1) == month]
            if within and person not in converters:
                within.sort(key=lambda touch: (touch.at, touch.id))
                found.append(([touch.channel for touch in within], False))
        return [(path, converted) for path, converted in found if path]

    def months(self) -> set[tuple[date, str]]:
        return {(c.created.replace(day=1), c.type) for c in self.conversions}


def seconds(earlier: datetime, later: datetime) -> int:
    """Marks of full seconds between two instants."""
    marks = later.replace(microsecond=0) - earlier.replace(microsecond=0)
    return marks.days * 86400 + marks.seconds


# -- brute force ---------------------------------------------------------------------------------


def shapley(paths: list[tuple[list[str], bool]]) -> dict[str, Fraction]:
    """By definition: over all subsets of the channels that occur."""
    channels = sorted({channel for path, _ in paths for channel in path})
    sets = Counter((frozenset(path), converted) for path, converted in paths)
    worths: dict[frozenset[str], Fraction] = {}
    for size in range(len(channels) + 1):
        for chosen in map(frozenset, combinations(channels, size)):
            inside = [(way, n) for (touched, way), n in sets.items() if touched <= chosen]
            total = sum(n for _, n in inside)
            converted = sum(n for way, n in inside if way)
            worths[chosen] = Fraction(converted, total) if total else Fraction(0)
    count = len(channels)
    return {
        channel: sum(
            (
                Fraction(factorial(len(chosen)) * factorial(count - len(chosen) - 1))
                / factorial(count)
                * (worths[chosen | {channel}] - worth)
                for chosen, worth in worths.items()
                if channel not in chosen
            ),
            Fraction(0),
        )
        for channel in channels
    }


def conversion_rate(paths: list[tuple[list[str], bool]], removed: str | None = None) -> float:
    """The chance of absorption in a conversion, by solving; steps from a channel to itself stay."""
    steps: Counter[tuple[str, str]] = Counter()
    for path, converted in paths:
        states = ["(start)", *path, "(conversion)" if converted else "(null)"]
        steps.update(pairwise(states))
    states = sorted({state for state, _ in steps})
    place = {state: number for number, state in enumerate(states)}
    inner, conversions = np.zeros((len(states), len(states))), np.zeros(len(states))
    outgoing: Counter[str] = Counter()
    for (state, _), count in steps.items():
        outgoing[state] += count
    for (state, following), count in steps.items():
        if following == "(conversion)":
            conversions[place[state]] += count / outgoing[state]
        elif following not in ("(null)", removed):
            inner[place[state], place[following]] += count / outgoing[state]
    solved = np.linalg.solve(np.eye(len(states)) - inner, conversions)
    return float(solved[place["(start)"]])


def removal_effects(paths: list[tuple[list[str], bool]]) -> dict[str, float]:
    whole = conversion_rate(paths)
    channels = {channel for path, _ in paths for channel in path}
    if not whole:
        return dict.fromkeys(channels, 0.0)
    return {channel: max(0.0, 1 - conversion_rate(paths, channel) / whole) for channel in channels}


def shared(path: list[Touch], values: dict[str, float]) -> list[float]:
    """Among the channels by their values, equally where there are none; then among touches."""
    counts = Counter(touch.channel for touch in path)
    values = {channel: max(0.0, float(values.get(channel, 0))) for channel in counts}
    if not sum(values.values()):
        values = dict.fromkeys(counts, 1.0)
    total = sum(values.values())
    return [values[touch.channel] / total / counts[touch.channel] for touch in path]


def weights(model: str, path: list[Touch], at: datetime, values: dict[str, Any]) -> list[float]:
    """The credit of each touch of a path that has any."""
    count = len(path)
    if model in ("first", "last", "last_non_direct"):
        place = 0 if model == "first" else count - 1
        if model == "last_non_direct":
            told = [n for n, touch in enumerate(path) if touch.channel != "direct"]
            place = told[-1] if told else place
        return [float(n == place) for n in range(count)]
    if model == "linear":
        return [1 / count] * count
    if model == "position":
        if count <= 2:
            return [1 / count] * count
        return [0.4, *[0.2 / (count - 2)] * (count - 2), 0.4]
    if model == "time_decay":
        halves = [2 ** (-seconds(touch.at, at) / (7 * 86400)) for touch in path]
        return [half / sum(halves) for half in halves]
    return shared(path, {} if model == "channel_equal" else values[model])


def brute_force(case: Case) -> dict[tuple[str, str, str], float]:
    """The credit of each conversion, touch and model."""
    values: dict[tuple[date, str], dict[str, Any]] = {}
    for month, kind in case.months():
        paths = case.paths(month, kind)
        values[month, kind] = {
            # in the units and with the decimals in which the marts tell them
            "shapley": {k: round(float(v) * 1e6, 6) for k, v in shapley(paths).items()},
            "markov": {k: round(v, 6) for k, v in removal_effects(paths).items()} if paths else {},
        }
    credits: dict[tuple[str, str, str], float] = {}
    for conversion in case.conversions:
        path = case.path(conversion)
        for model in MODELS:
            if not path:
                credits[conversion.id, "(none)", model] = 1.0
                continue
            known = values[conversion.created.replace(day=1), conversion.type]
            for touch, credit in zip(path, weights(model, path, conversion.at, known), strict=True):
                credits[conversion.id, touch.id, model] = credit
    return credits


def test_brute_force_is_right_where_the_answer_is_known() -> None:
    # time decay of 0, 7 and 14 days
    at = datetime(2026, 3, 20)
    path = [Touch(str(n), at - timedelta(days=14 - 7 * n), "p", "direct") for n in range(3)]
    assert weights("time_decay", path, at, {}) == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    # two channels that convert together alone
    together = [(["a", "b"], True), (["a"], False), (["b"], False)]
    assert shapley(together) == {"a": Fraction(1, 6), "b": Fraction(1, 6)}
    # all conversions pass b; a chain doesn't remember who came by a
    assert removal_effects([(["a", "b"], True), (["b"], False)]) == {"a": 0.5, "b": 1.0}
    assert conversion_rate([(p, c) for p, c in toy_paths()]) == pytest.approx(25 / 99)


# -- the cases -----------------------------------------------------------------------------------


def toy_paths() -> list[tuple[list[str], bool]]:
    """Eight ways, 99 paths, 25 conversions."""
    counted = [
        (["paid_search"], 6, 14), (["display"], 3, 17), (["message"], 1, 9),
        (["paid_search", "display"], 5, 10), (["display", "paid_search"], 2, 6),
        (["paid_search", "message"], 3, 7), (["display", "message", "display"], 2, 5),
        (["paid_search", "display", "message"], 3, 6),
    ]  # fmt: skip
    return [
        (path, n < converted) for path, converted, lost in counted for n in range(converted + lost)
    ]


def toy() -> Case:
    """The toy paths in March, all in one type."""
    case = Case()
    for number, (path, converted) in enumerate(toy_paths()):
        start = datetime(2026, 3, 2, 1) + timedelta(hours=number)
        for place, channel in enumerate(path):
            touch = Touch(
                f"t{number}-{place}", start + timedelta(days=place), f"p{number}", channel
            )
            case.touches.append(touch)
        if converted:
            at = start + timedelta(days=len(path))
            case.conversions.append(
                Conversion(f"toy-{number}", "payment", at.date(), at, f"p{number}", 1000 + number)
            )
    return case


def awkward() -> Case:
    """Each edge by hand, in April."""
    at = datetime(2026, 4, 20, 3, 0, 0, 500000)
    day, micro, month = at.date(), timedelta(microseconds=1), timedelta(days=30)
    case = Case(merges={"old": "new", "older": "new"})

    def convert(member: str | None, *channels_at: tuple[str, datetime], **other: Any) -> None:
        name = f"visit-{len(case.conversions)}"
        conversion = {"created": day, "at": at, "value": 0, "type": "visit"} | other
        name = f"{conversion['type']}-{len(case.conversions)}"
        case.conversions.append(Conversion(id=name, member=member, **conversion))
        for number, (channel, instant) in enumerate(channels_at):
            person = case.merges.get(member, member)
            case.touches.append(Touch(f"{name}-{number}", instant, person, channel))

    # in its instant, a moment after, a second too early, just early enough
    convert(
        "edges",
        ("video", at),
        ("display", at + micro),
        ("message", at - month),
        ("referral", at - month - timedelta(seconds=1)),
        ("direct", at - timedelta(hours=1)),
    )
    # ties of instants: keys decide
    tied = ("video", "direct", "message", "video")
    convert("ties", *[(channel, at - timedelta(days=1)) for channel in tied])
    convert("halves", *[("paid_search", at - timedelta(days=days)) for days in (14, 7, 0)])
    convert("direct", ("direct", at - timedelta(days=2)), ("direct", at - timedelta(days=1)))
    convert(
        "won", *[("display", at - timedelta(days=n)) for n in range(1, 8)], type="payment", value=10
    )
    convert("two", ("referral", at - timedelta(days=3)), ("direct", at - timedelta(days=1)))
    convert("nothing")
    convert(None)
    convert("timeless", ("video", at - timedelta(days=1)), at=None)
    convert("old", ("organic_social", at - timedelta(days=1)))
    convert("older", type="booking")
    # entered a fortnight after it happened, and a fortnight before
    convert("late", ("video", at - timedelta(days=20)), ("display", at - timedelta(days=28)),
            created=day + timedelta(days=14))  # fmt: skip
    convert("early", ("video", at - timedelta(days=4)), ("display", at - timedelta(days=9)),
            created=day - timedelta(days=14))  # fmt: skip
    # a long path of one channel, whose rounding must not eat up the last touch
    convert("long", *[("direct", at - timedelta(hours=n)) for n in range(1, 150)], ("video", at))
    return case


def crowd(seed: int = 5) -> Case:
    """Two months of people at random, of ten channels, known and not."""
    draw = random.Random(seed)
    case = Case()
    for number in range(80):
        person, is_member = f"c{number}", number % 4 > 0
        # on a grid, so that some instants are one
        instants = [
            datetime(2026, 5, 3) + timedelta(hours=draw.randrange(24 * 55)) for _ in range(8)
        ]
        for place, instant in enumerate(instants[: draw.randint(1, 8)]):
            channel = CHANNELS[min(draw.randrange(10), draw.randrange(10))]
            case.touches.append(Touch(f"{person}-{place}", instant, person, channel, is_member))
        for kind in TYPES if is_member else ():
            for again in range(draw.randrange(3)):
                at = draw.choice(instants) + timedelta(hours=draw.randrange(200))
                value = draw.randrange(100000) if kind == "payment" else 0
                created = (at + timedelta(hours=9)).date()
                name = f"{kind}-{person}-{again}"
                case.conversions.append(Conversion(name, kind, created, at, person, value))
    return case


def together(*cases: Case) -> Case:
    return Case(
        [each for case in cases for each in case.conversions],
        [each for case in cases for each in case.touches],
        {merged: into for case in cases for merged, into in case.merges.items()},
    )


# -- the SQL on an engine ------------------------------------------------------------------------

SEEDS = {
    "fct_conversions": "conversion_id string, conversion_type string, created_date date,"
    " converted_at timestamp, member_key string, value_krw bigint, load_id bigint",
    "fct_touchpoints": "touch_id string, touch_date date, touched_at timestamp, member_key string,"
    " person_key string, channel string, medium string, campaign string, load_id bigint",
    "int_core__member_merges_followed": "from_member_key string, surviving_member_key string",
    "dim_dates": "calendar_date date, month_start_date date",
    "int_marketing__conversion_changes": "created_date date, load_id bigint",
    "int_marketing__touch_changes": "touch_date date, load_id bigint",
    "stg_app_db__member_merges": "from_member_key string, load_id bigint",
    **{
        f"stg_app_db__{table}": "created_date date, member_key string"
        for table in ("event_leads", "bookings", "receptions", "payments")
    },
}
NATIVE = {"string": {"bigquery": "string"}, "bigint": {"bigquery": "int64"}}
SEED = "{{ config(column_types={types}) }}"


class Project:
    """A dbt project of the attribution models alone, whose inputs are seeds, on one engine."""

    def __init__(self, folder: Path, engine: str):
        self.folder, self.engine = folder, engine
        self.environment = {
            "GOODOC_TARGET": engine,
            "GOODOC_HOME": str(folder),
            "DBT_PROFILES_DIR": str(folder),
        }
        if engine == "postgres":
            self.url = postgres_server()
            self.environment |= Postgres(self.url).environment() | {"GOODOC_PG_ROLE": "postgres"}
        if engine == "bigquery":
            self.environment |= shared_bigquery().environment
        for name in (
            "marts/marketing/fct_attribution",
            "intermediate/marketing/int_marketing__attribution",
        ):
            for file in (PROJECT / "models").glob(f"{name}*"):
                target = folder / file.relative_to(PROJECT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        shutil.copytree(PROJECT / "tests" / "data" / "generic", folder / "tests" / "generic")
        for file in (PROJECT / "tests" / "data").glob("assert_attribution_*.sql"):
            shutil.copyfile(file, folder / "tests" / file.name)
        (folder / "macros").symlink_to(PROJECT / "macros")
        shutil.copyfile(PROJECT / "profiles.example.yml", folder / "profiles.yml")
        strategy = "insert_overwrite" if engine == "bigquery" else "replace_days"
        settings = {
            "name": "goodoc", "profile": "goodoc", "test-paths": ["tests"],
            "models": {"goodoc": {
                "+incremental_strategy": strategy, "+on_schema_change": "fail",
                "intermediate": {"+materialized": "view", "+schema": "intermediate"},
                "marts": {"+materialized": "table", "+schema": "marketing",
                          "+contract": {"enforced": True}},
            }},
            "seeds": {"goodoc": {"+schema": "inputs", "+quote_columns": False, **{
                name: {"+column_types": {
                    column: NATIVE.get(kind, {}).get(engine, "text" if kind == "string" else kind)
                    for column, kind in (each.split() for each in columns.split(", "))
                }} for name, columns in SEEDS.items()
            }}},
        }  # fmt: skip
        (folder / "dbt_project.yml").write_text(json.dumps(settings))
        (folder / "seeds").mkdir()

    def write(
        self, case: Case, changed: dict[str, list[tuple]] | None = None, load: int = 1
    ) -> None:
        """The seeds. `changed`: rows of the models of changes, by name; else there are none."""
        first, days = date(2026, 2, 1), range(180)
        dates = [first + timedelta(days=n) for n in days]
        rows: dict[str, list[tuple]] = {
            "fct_conversions": [
                (c.id, c.type, c.created, c.at, c.member, c.value, load) for c in case.conversions
            ],
            "fct_touchpoints": [
                (t.id, t.day, t.at, t.person if t.is_member else None, t.person, t.channel,
                 "somewhere", "", load)
                for t in case.touches
            ],
            "int_core__member_merges_followed": [*case.merges.items()] or [("x", "y")],
            "dim_dates": [(day, day.replace(day=1)) for day in dates],
        }  # fmt: skip
        for name, columns in SEEDS.items():
            header = [each.split()[0] for each in columns.split(", ")]
            nothing = [tuple("2020-01-01" if "date" in each else 0 for each in header)]
            with (self.folder / "seeds" / f"{name}.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                writer.writerows((changed or {}).get(name) or rows.get(name) or nothing)

    def dbt(self, *command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-send-anonymous-usage-stats",
             *command],
            cwd=self.folder, env=os.environ | self.environment, text=True, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr

    def build(self, *arguments: str) -> "Project":
        self.dbt("build", "--exclude-resource-type", "unit_test", *arguments)
        return self

    def query(self, query: str) -> list[tuple[Any, ...]]:
        if self.engine == "duckdb":
            with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
                return connection.execute(query).fetchall()
        if self.engine == "postgres":
            with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        from extract_load.loader.bigquery_warehouse import connect

        with pytest.MonkeyPatch.context() as environment:
            for name in ("GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY"):
                environment.setenv(name, self.environment[name])
            client = connect(
                self.environment["GOODOC_BQ_PROJECT"],
                self.environment["GOODOC_BQ_LOCATION"],
                self.environment["GOODOC_BQ_ENDPOINT"],
            )
            return [tuple(row.values()) for row in client.query_and_wait(query)]

    def marts(self) -> dict[str, Counter]:
        """All rows of the five marts."""
        names = sorted(file.stem for file in (self.folder / "models").rglob("fct_*.sql"))
        assert len(names) == 5
        return {
            name: Counter(
                tuple(map(plain, row)) for row in self.query(f"select * from marketing.{name}")
            )
            for name in names
        }


def plain(value: object) -> object:
    """Instants without zone; all else as the engine gives it."""
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value


CREDITS = "select conversion_id, touch_id, attribution_model, credit from {}"


def wrong_credits(case: Case, rows: list[tuple[Any, ...]]) -> list[str]:
    """Where credits are not those of brute force, rows too few or too many included."""
    expected = brute_force(case)
    found = {tuple(row[:3]): row[3] for row in rows}
    assert len(found) == len(rows)
    keys = sorted({*expected, *found})
    return [
        f"{key}: {found.get(key)}, not {expected.get(key)}"
        for key in keys
        if key not in expected or key not in found or abs(float(found[key]) - expected[key]) > CLOSE
    ]


@pytest.fixture(scope="module")
def case() -> Case:
    return together(toy(), awkward(), crowd())


@pytest.fixture(scope="module")
def projects(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """Built on each engine, its data tests passed."""
    built = {}
    for engine in ("duckdb", "postgres", "bigquery"):
        built[engine] = Project(tmp_path_factory.mktemp(engine), engine)
        built[engine].write(case)
        built[engine].build()
    return built


def test_credits_are_those_of_brute_force(projects: dict[str, Project], case: Case) -> None:
    rows = projects["duckdb"].query(CREDITS.format("marketing.fct_attribution"))
    assert len({row[0] for row in rows}) == len(case.conversions) > 200
    assert not wrong_credits(case, rows)


def test_every_row_is_equal_on_every_engine(projects: dict[str, Project]) -> None:
    marts = {engine: project.marts() for engine, project in projects.items()}
    assert all(rows.total() for rows in marts["duckdb"].values())
    assert marts["postgres"] == marts["duckdb"]
    assert marts["bigquery"] == marts["duckdb"]


def test_values_of_channels_are_those_of_brute_force(
    projects: dict[str, Project], case: Case
) -> None:
    query = "select month_start_date, conversion_type, channel, {} from marketing.{}"
    added = projects["duckdb"].query(
        query.format("value_per_million", "fct_attribution_shapley_monthly")
    )
    lost = projects["duckdb"].query(
        query.format("removal_effect", "fct_attribution_markov_monthly")
    )
    assert {row[:3] for row in added} == {row[:3] for row in lost}
    assert any(row[3] < 0 for row in added)
    brute = {key: (shapley(paths), removal_effects(paths))
             for key in case.months() if (paths := case.paths(*key))}  # fmt: skip
    assert len(added) == sum(len(values) for values, _ in brute.values())
    for month, kind, channel, value in added:
        assert abs(float(value) - float(brute[month, kind][0][channel]) * 1e6) < 5e-6
    for month, kind, channel, value in lost:
        assert abs(float(value) - brute[month, kind][1][channel]) < 6e-7


def test_credits_are_whole_and_touches_before(projects: dict[str, Project], case: Case) -> None:
    rows = projects["duckdb"].query(
        "select conversion_id, attribution_model, sum(credit), sum(credit_value_krw), min(credit),"
        " count(*) from marketing.fct_attribution group by all"
    )
    conversions = {each.id: each for each in case.conversions}
    assert len(rows) == len(conversions) * len(MODELS)
    for name, _, credit, value, least, count in rows:
        assert (credit, value) == (1, conversions[name].value) and least >= 0
        assert count == max(1, len(case.path(conversions[name])))
    touches = {touch.id: touch for touch in case.touches}
    for name, touch in projects["duckdb"].query(
        "select conversion_id, touch_id from marketing.fct_attribution where touch_id <> '(none)'"
    ):
        assert touches[touch].at <= conversions[name].at


def test_neither_order_nor_naming_of_channels_matters(
    projects: dict[str, Project], case: Case, tmp_path: Path
) -> None:
    # other names, in the opposite alphabetical order: only `direct` means something
    names = dict(zip(CHANNELS, [f"x{9 - n}" for n in range(10)], strict=True)) | {
        "direct": "direct"
    }
    draw = random.Random(1)
    touches = [
        Touch(touch.id, touch.at, touch.person, names[touch.channel], touch.is_member)
        for touch in case.touches
    ]
    other = Case(list(case.conversions), touches, case.merges)
    draw.shuffle(other.conversions)
    draw.shuffle(other.touches)
    project = Project(tmp_path, "duckdb")
    project.write(other)
    project.dbt("seed")
    project.dbt("run")
    rows = CREDITS.format("marketing.fct_attribution")
    assert Counter(project.query(rows)) == Counter(projects["duckdb"].query(rows))


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_an_increment_is_a_full_refresh(engine: str, case: Case, tmp_path: Path) -> None:
    """A touch comes late, one goes, a conversion goes, two accounts become one, a month begins."""
    late = Touch("late", datetime(2026, 4, 1, 5), "edges", "organic_social")
    gone = next(touch for touch in case.touches if touch.id == "c5-0")
    lost = next(each for each in case.conversions if each.type == "booking" and "c" in each.member)
    joined = next(each for each in case.conversions if each.member == "c7")
    new = Conversion("visit-new", "visit", date(2026, 7, 4), datetime(2026, 7, 3, 20), "c9")
    project = Project(tmp_path, engine)
    project.write(case)
    project.dbt("seed")
    project.dbt("run")
    before = project.marts()
    after = Case(
        [each for each in case.conversions if each is not lost] + [new],
        [touch for touch in case.touches if touch is not gone] + [late],
        case.merges | {"c7": "c6"},
    )
    # what was c7's is c6's now
    after.touches = [
        Touch(t.id, t.at, "c6", t.channel, t.is_member) if t.person == "c7" else t
        for t in after.touches
    ]
    moved = {touch.day for touch in case.touches if touch.person == "c7"}
    changes = {
        "int_marketing__touch_changes": [(day, 2) for day in {late.day, gone.day, *moved}],
        "int_marketing__conversion_changes": [(lost.created, 2), (new.created, 2)],
        "stg_app_db__member_merges": [("c7", 2)],
        "stg_app_db__bookings": [
            (each.created, each.member) for each in case.conversions if each.member == "c7"
        ],
    }
    assert joined.created and all(changes.values())
    project.write(after, changes)
    project.dbt("seed", "--full-refresh")
    project.dbt("run")
    increment = project.marts()
    assert increment != before
    project.dbt("run", "--full-refresh")
    assert increment == project.marts()
    assert not wrong_credits(after, project.query(CREDITS.format("marketing.fct_attribution")))


def test_the_smallest_changes_name_their_days(case: Case, tmp_path: Path) -> None:
    """A touch alters the paths of 45 days and the credits of their months, and no more."""
    project = Project(tmp_path, "duckdb")
    project.write(case, {"int_marketing__touch_changes": [(date(2026, 5, 20), 3)]})
    project.dbt("seed")
    project.dbt("run", "--select", "int_marketing__attribution_*")
    day = (
        "select min(created_date), max(created_date), count(*) from intermediate.{}"
        " where load_id = 3"
    )
    paths = project.query(day.format("int_marketing__attribution_path_changes"))
    assert paths == [(date(2026, 5, 13), date(2026, 6, 26), 45)]
    credits = project.query(day.format("int_marketing__attribution_changes"))
    assert credits == [(date(2026, 5, 1), date(2026, 6, 30), 61)]


def test_an_old_change_reads_its_own_days(case: Case, tmp_path: Path) -> None:
    """Not all days since."""
    days = date(2026, 3, 10), date(2026, 7, 2)
    project = Project(tmp_path, "duckdb")
    project.write(case, {"int_marketing__conversion_changes": [(day, 2) for day in days]})
    project.dbt("seed")
    project.dbt("run")
    before = project.marts()
    project.dbt("run")
    assert project.marts() == before
    compiled = {
        file.stem: file.read_text() for file in tmp_path.glob("target/compiled/**/fct*.sql")
    }
    for name, edges in {
        "fct_attribution_paths": ("2026-02-01", "2026-03-17", "2026-05-26", "2026-07-09"),
        "fct_attribution_steps_monthly": ("2026-03-01", "2026-03-31", "2026-07-01", "2026-07-31"),
    }.items():
        assert all(f"cast('{edge}' as date)" in compiled[name] for edge in edges)
        assert ">= cast('" not in compiled[name] and "2026-05-01" not in compiled[name]


# -- a company -----------------------------------------------------------------------------------


def test_a_companys_credits_are_those_of_brute_force(analysed: Goodoc) -> None:
    merges = analysed.query(
        "select from_member_key, surviving_member_key"
        " from intermediate.int_core__member_merges_followed"
    )
    conversions = analysed.query(
        "select conversion_id, conversion_type, created_date, converted_at, member_key, value_krw"
        " from marketing.fct_conversions"
    )
    touches = analysed.query(
        "select touch_id, touched_at, person_key, channel, member_key is not null, touch_date"
        " from marketing.fct_touchpoints"
    )
    company = Case(
        [Conversion(*row) for row in conversions],
        [Touch(*row[:5]) for row in touches],
        dict(merges),
    )
    assert {touch.id: touch.day for touch in company.touches} == {row[0]: row[5] for row in touches}
    rows = analysed.query(CREDITS.format("marketing.fct_attribution"))
    assert sum(row[1] != "(none)" for row in rows) > 9 * 1000
    assert not wrong_credits(company, rows)

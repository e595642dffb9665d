"""One company on DuckDB, Postgres and BigQuery: every mart equal, row by row, and as the truth is.

A full build with all media, an increment of four days (late, restated and vanished rows, and a
whole day that the source loses) in which few media are read again, then a full refresh: after each
step all marts are compared. BigQuery isn't refreshed: that would run its first build's statements.
"""

import gzip
import json
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import duckdb
import psycopg2
import pytest
from google.cloud import bigquery

import simulator
from conftest import PROJECT, Goodoc, differences
from engines import bigquery_endpoint, postgres_server
from extract_load import read_sources
from goodoc.privacy import RESTRICTED
from goodoc.setup import MARTS, POSTGRES_ROLES

DAYS, SCALE, SEED = 4, 0.03, 1
MORE_DAYS = 4  # until when figures of some days are final
# without the accesses, which are each engine's own
NUMBER_OF_MARTS = len(list((PROJECT / "models" / "marts").glob("*/*.sql"))) - 1
MATURITY = "marketing.fct_ad_metric_maturity"
# two products are alike to twenty people at least, which are more than this company has
OF_MANY_PEOPLE = {"marketing.fct_item_similarity", "marketing.fct_recommendation_evaluation"}
LOST_DAY = date(2026, 6, 4)
# eight media without an API; test_company.py reads all of them again, weeks of each, on DuckDB
MEDIA_READ_AGAIN = "ads_drops"
READERS, CLEARED_READERS = "analysts@company.example", "cleared@company.example"
# a log of another process, as anybody may have one
REPAIRS = """\
Case ID,Activity,Complete Timestamp
R-1,reported,2026-06-01 09:00:00
R-1,repaired,2026-06-02 09:00:00.25
R-1,tested,2026-06-02 09:00:00.25
R-2,reported,2026-06-01 23:59:59
R-1,repaired,2026-06-03T00:30:00Z
R-2,closed,2026-06-02 00:00:00
"""
POLICY_TAGS = {
    name: f"projects/goodoc-test/locations/asia-northeast3/taxonomies/1/policyTags/{number}"
    for number, name in enumerate(("pseudonym", "sensitive"), 1)
}
# what the flow events feed: its truth doesn't know of a day that was lost afterwards
FED_BY_FLOW_EVENTS = (
    "bookings",
    "receptions",
    "reception",
    "booking",
    "flow_",
    "conversions",
)


class OnEngine(Goodoc):
    """The command line on one engine, and a client of that engine's own to look with."""

    def __init__(self, home: Path, company: Path, target: str, environment: dict[str, str]):
        super().__init__(home)
        self.target = target
        home.mkdir()
        (home / "pseudonym.key").write_text("k" * 32)
        self.environment |= {"GOODOC_TARGET": target, **environment}
        self.use(company, media=True)

    def query(self, query: str, database: str = "warehouse.duckdb") -> list[tuple[Any, ...]]:
        if self.target == "duckdb":
            return super().query(query, database)
        if self.target == "postgres":
            url = self.environment["GOODOC_PG_URL"]
            with psycopg2.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        return [tuple(row.values()) for row in self.bigquery().query_and_wait(query)]

    def execute(self, *statements: str) -> None:
        """As the warehouse's administrator."""
        for statement in statements:
            if self.target == "duckdb":
                with duckdb.connect(str(self.home / "warehouse.duckdb")) as connection:
                    connection.execute(statement)
            elif self.target == "postgres":
                url = self.environment["GOODOC_PG_URL"]
                with psycopg2.connect(url) as connection, connection.cursor() as cursor:
                    cursor.execute(statement)
            else:
                self.bigquery().query_and_wait(statement)

    def bigquery(self) -> bigquery.Client:
        from extract_load.loader.bigquery_warehouse import connect

        with pytest.MonkeyPatch.context() as environment:
            for name in ("GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY"):
                environment.setenv(name, self.environment[name])
            return connect(
                self.environment["GOODOC_BQ_PROJECT"],
                self.environment["GOODOC_BQ_LOCATION"],
                self.environment["GOODOC_BQ_ENDPOINT"],
            )

    def dbt(self, *arguments: str, project: Path = PROJECT) -> subprocess.CompletedProcess[str]:
        """dbt alone, as CI or a developer calls it, in the profile that `goodoc` wrote."""
        profile = self.home / "dbt"
        folders = ["--project-dir", str(project), "--profiles-dir", str(profile)]
        folders += ["--target-path", str(profile), "--log-path", str(profile / "logs")]
        return subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *arguments, *folders],
            env=self.environment | self._postgres_environment(),
            capture_output=True,
            text=True,
        )

    def _postgres_environment(self) -> dict[str, str]:
        from goodoc.settings import Postgres

        url = self.environment.get("GOODOC_PG_URL")
        return Postgres(url).environment() if url else {}

    def marts(self, prefix: str = "") -> dict[str, Counter]:
        """Rows of each mart, in no order, by name: `schema.table(columns)`."""
        tables: dict[str, list[str]] = {}
        for mart in (*MARTS, RESTRICTED) if prefix else MARTS:
            catalogue = "information_schema.columns"
            if self.target == "bigquery":
                catalogue = f"`{prefix}{mart}`.INFORMATION_SCHEMA.COLUMNS"
            for table, column in self.query(
                f"select table_name, column_name from {catalogue}"
                f" where table_schema = '{prefix}{mart}' and table_name <> 'fct_accesses'"
                " order by table_name, column_name"
            ):
                tables.setdefault(f"{mart}.{table}", []).append(column)
        quote = "`" if self.target == "bigquery" else '"'
        return {
            f"{name}({', '.join(columns)})": Counter(
                tuple(map(comparable, row))
                for row in self.query(
                    f"select {', '.join(f'{quote}{column}{quote}' for column in columns)}"
                    f" from {prefix}{name}"
                )
            )
            for name, columns in tables.items()
        }


def comparable(value: object) -> object:
    """A value that equals another only where type and content are the same on each engine.

    Decimals are exact whatever their number of zeros; instants are UTC to the microsecond.
    """
    if isinstance(value, datetime) and value.tzinfo:
        value = value.replace(tzinfo=None)
    return type(value).__name__, value


@dataclass
class Comparison:
    """How one mart compares: rows on DuckDB, and what the other engine lacks or has too many."""

    mart: str
    engine: str
    rows: int
    missing: list[tuple]
    added: list[tuple]

    @property
    def is_equal(self) -> bool:
        return not self.missing and not self.added


def compare(engines: dict[str, OnEngine]) -> list[Comparison]:
    return compared({name: engine.marts() for name, engine in engines.items()})


def compared(contents: dict[str, dict[str, Counter]]) -> list[Comparison]:
    """Every mart on each engine against DuckDB; marts that only one of them has differ, too."""
    first = contents["duckdb"]
    found = []
    for name, marts in contents.items():
        for mart in sorted({*first, *marts}):
            here, there = (
                first.get(mart, Counter()),
                marts.get(mart, Counter({("no such mart",): 1})),
            )
            found.append(
                Comparison(
                    mart, name, here.total(), list((here - there).elements()),
                    list((there - here).elements()),
                )
            )  # fmt: skip
    return found


def unequal(found: list[Comparison]) -> list[str]:
    return [
        f"{c.engine}, {c.mart}: {len(c.missing)} rows missing, as {c.missing[:1]};"
        f" {len(c.added)} too many, as {c.added[:1]}"
        for c in found
        if not c.is_equal
    ]


def without_rows(found: list[Comparison]) -> set[str]:
    return {mart.mart.partition("(")[0] for mart in found if not mart.rows}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("company") / "parity"
    simulator.simulate(out, days=DAYS, scale=SCALE, seed=SEED)
    (out / "event_logs").mkdir()
    (out / "event_logs" / "repair_1.csv").write_text(REPAIRS)
    with (out / "sources.env").open("a") as environment:
        environment.write(f"EVENT_LOGS_DIR='{out / 'event_logs'}'\n")
    return out


@pytest.fixture(scope="module")
def engines(company: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, OnEngine]:
    """The company on each engine, built and published once."""
    environments = {
        "duckdb": {},
        "postgres": {"GOODOC_PG_URL": postgres_server()},
        "bigquery": bigquery_endpoint().environment
        | {
            "GOODOC_BQ_READERS": READERS,
            "GOODOC_BQ_RESTRICTED_READERS": CLEARED_READERS,
            "GOODOC_BQ_POLICY_TAGS": ",".join(f"{name}={tag}" for name, tag in POLICY_TAGS.items()),
        },
    }
    engines = {
        target: OnEngine(tmp_path_factory.mktemp(target) / "home", company, target, environment)
        for target, environment in environments.items()
    }
    on_each(engines, "setup")
    on_each(engines, "run")
    return engines


def on_each(engines: dict[str, OnEngine], *command: str) -> None:
    at_once(engines, lambda engine: engine(*command))


def on_each_dbt(
    engines: dict[str, OnEngine], *command: str, project: Path = PROJECT
) -> dict[str, str]:
    """What dbt printed on each engine."""
    results = at_once(engines, lambda engine: engine.dbt(*command, project=project))
    return {target: result.stdout for target, result in results.items()}


def at_once(
    engines: dict[str, OnEngine], run: Callable[[OnEngine], subprocess.CompletedProcess[str]]
) -> dict[str, subprocess.CompletedProcess[str]]:
    """The same on all engines side by side: the slowest decides how long it takes."""
    with ThreadPoolExecutor() as pool:
        results = dict(zip(engines, pool.map(run, engines.values()), strict=True))
    for target, result in results.items():
        assert result.returncode == 0, f"{target}: {result.stdout[-3000:]} {result.stderr[-3000:]}"
    return results


def read_again() -> list[str]:
    """The sources that aren't media's, and one of a few media."""
    sources = read_sources(PROJECT / "extract_load" / "sources").values()
    return [*(each.source for each in sources if not each.optional), MEDIA_READ_AGAIN]


def lose(company: Path, day: date) -> int:
    """Sends the files of flow events again without a Korean day's events; how many they were.

    Their lines are left empty, so that the others keep theirs. A file without any row would be
    refused: there an event of another day is delivered once more.
    """
    lost = 0
    again = b""
    for file in sorted((company / "flow_events").glob("*.jsonl.gz")):
        lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        kept = [b"\n" if _is_of(line, day) else line for line in lines]
        again = again or next((line for line in kept if line.strip()), b"")
        if kept != lines:
            lost += sum(a != b for a, b in zip(kept, lines, strict=True))
            rows = b"".join(kept)
            file.write_bytes(gzip.compress(rows if rows.strip() else rows + again))
    return lost


def _is_of(line: bytes, day: date) -> bool:
    try:
        instant = datetime.fromisoformat(json.loads(line)["occurred_at"].replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError):
        return False
    return (instant + timedelta(hours=9)).date() == day


def wrong_figures(
    engines: dict[str, OnEngine], company: Path, without: tuple[str, ...] = ()
) -> dict[str, dict]:
    """Figures of truth.json that an engine's marts don't give, by engine."""
    found = {name: differences(engine, company) for name, engine in engines.items()}
    return {
        name: wrong
        for name, figures in found.items()
        if (wrong := {k: v for k, v in figures.items() if not k.startswith(without)})
    }


def test_every_mart_is_equal_on_every_engine_after_every_step(
    engines: dict[str, OnEngine], company: Path
) -> None:
    built = compare(engines)
    assert not unequal(built)
    assert not wrong_figures(engines, company)
    assert len(built) == len(engines) * NUMBER_OF_MARTS
    # no day of four is final yet
    assert without_rows(built) <= {MATURITY, *OF_MANY_PEOPLE}

    for _ in range(MORE_DAYS):
        simulator.append_day(company)
    there = f"select count(*) from booking_flow.fct_flow_events where occurred_date = '{LOST_DAY}'"
    assert engines["duckdb"].query(there)[0][0] > 10
    assert lose(company, LOST_DAY) > 10
    on_each(engines, "load", *read_again())
    for engine in engines.values():
        engine.media = False  # the truth's media told of these days, too
    # the data tests ran with the first build, and views on raw stay as they are
    on_each_dbt(engines, "run", "--select", "intermediate", "marts")
    increments = {name: engine.marts() for name, engine in engines.items()}
    assert not unequal(compared(increments))
    assert not wrong_figures(engines, company, FED_BY_FLOW_EVENTS)
    assert {engine.query(there)[0][0] for engine in engines.values()} == {0}

    local = {name: engines[name] for name in ("duckdb", "postgres")}
    on_each_dbt(local, "run", "--select", "intermediate", "marts", "--full-refresh")
    for name, engine in local.items():
        assert engine.marts() == increments[name], f"{name}: increments differ from a full refresh"

    marts = compared(increments)
    assert without_rows(marts) <= OF_MANY_PEOPLE
    print("\nmodel, rows on DuckDB, equal on Postgres and BigQuery")
    for mart in marts:
        print(f"{mart.engine:9} {mart.rows:7,} {mart.is_equal} {mart.mart.partition('(')[0]}")


def test_what_many_people_make_alike_is_equal_too(engines: dict[str, OnEngine]) -> None:
    """Where few are enough and who looks applies, products are alike and lists judged here, too."""
    rules = "int_marketing__recommendation_rules"
    for engine in engines.values():
        engine.execute(
            f"update intermediate.{rules} set least_people_of_a_pair = 1,"
            " least_people_of_an_item = 1 where true",
            "update intermediate.int_marketing__item_interest_days set application_count = 1"
            " where interest_date >= '2026-01-01'",
        )
    on_each_dbt(engines, "run", "--select", f"{rules}+", "--exclude", rules)
    found = compare(engines)
    assert not unequal(found)
    assert not without_rows(found) & OF_MANY_PEOPLE


def test_the_published_copies_are_equal_and_without_person_keys(
    engines: dict[str, OnEngine],
) -> None:
    on_each(engines, "publish")
    there = {name: engine for name, engine in engines.items() if name != "duckdb"}
    published = {name: engine.marts("published_") for name, engine in there.items()}
    folder = engines["duckdb"].home / "published"
    files = {}
    for mart in published["postgres"]:
        name, columns = mart.rstrip(")").split("(")
        file = folder / ("restricted/" if name.startswith("restricted.") else "") / "marts.duckdb"
        with duckdb.connect(str(file), read_only=True) as connection:
            rows = connection.execute(f"select {columns} from {name}").fetchall()
        files[mart] = Counter(tuple(map(comparable, row)) for row in rows)
    assert len(files) == NUMBER_OF_MARTS
    for name, marts in published.items():
        assert marts == files, name
    keyed = {mart for mart in files if "member_key" in mart or "_token" in mart}
    assert keyed and all(mart.startswith("restricted.") for mart in keyed)


def test_postgres_grants_are_what_the_classes_say(engines: dict[str, OnEngine]) -> None:
    """Column by column: readers of everything, those with clearance, and nobody else."""
    granted = engines["postgres"].query(
        "select grantee, table_schema, table_name, column_name"
        " from information_schema.column_privileges where privilege_type = 'SELECT'"
        " and grantee in ('bi_reader', 'restricted_reader', 'PUBLIC')"
        " and table_schema not in ('information_schema', 'pg_catalog')"
    )
    there = engines["postgres"].query(
        "select case when table_schema = 'published_restricted' then 'restricted_reader'"
        " else 'bi_reader' end, table_schema, table_name, column_name"
        " from information_schema.columns where table_schema like 'published\\_%'"
    )
    assert set(granted) == set(there) and len(there) > 500
    assert not engines["postgres"].query(
        "select grantee, table_name from information_schema.table_privileges"
        " where grantee in ('bi_reader', 'restricted_reader')"
        " and table_schema not in ('information_schema', 'pg_catalog')"
    )


@pytest.mark.parametrize("target", ["duckdb", "postgres", "bigquery"])
def test_docs_freshness_and_descriptions_work(engines: dict[str, OnEngine], target: str) -> None:
    engine = {target: engines[target]}
    on_each_dbt(engine, "source", "freshness")
    sources = json.loads((engines[target].home / "dbt" / "sources.json").read_text())["results"]
    declared = read_sources(PROJECT / "extract_load" / "sources").values()
    assert len(sources) == sum(len(source.tables) for source in declared)
    assert {source["status"] for source in sources} == {"pass"}

    # what models compile to was seen when they were built; the catalogue is each engine's own
    on_each_dbt(engine, "docs", "generate", "--no-compile")
    catalogue = json.loads((engines[target].home / "dbt" / "catalog.json").read_text())
    bookings = catalogue["nodes"]["model.goodoc.fct_bookings"]
    # persisted by dbt, read back from the engine
    assert bookings["metadata"]["comment"].startswith("One row is")
    assert all(column["comment"] for column in bookings["columns"].values())
    assert "source.goodoc.raw_app_db.members" in catalogue["sources"]


@pytest.mark.parametrize("target", ["postgres", "bigquery"])
def test_unit_tests_pass(engines: dict[str, OnEngine], target: str) -> None:
    printed = on_each_dbt({target: engines[target]}, "test", "--select", "test_type:unit")[target]
    assert "ERROR=0" in printed and "FAIL=0" in printed.replace("ERROR=0", "FAIL=0")


@pytest.fixture(scope="module")
def logins(engines: dict[str, OnEngine]) -> Iterator[dict[str, str]]:
    """URL of a login for each role of the warehouse, with that role's rights and no others."""
    url = engines["postgres"].environment["GOODOC_PG_URL"]
    names = {role: f"{role}_{uuid.uuid4().hex[:8]}" for role in POSTGRES_ROLES}
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        for role, name in names.items():
            cursor.execute(f"create role {name} login password 'secret' in role {role}")
        connection.commit()
        parts = urlsplit(url)
        server = parts.netloc.rpartition("@")[2]
        yield {
            role: urlunsplit(parts._replace(netloc=f"{name}:secret@{server}"))
            for role, name in names.items()
        }
        for name in names.values():
            cursor.execute(f"drop role {name}")
        connection.commit()


@pytest.mark.parametrize(
    "role, statement, is_allowed",
    [
        ("bi_reader", "select * from published_core.dim_dates limit 1", True),
        ("bi_reader", "select * from published_booking_flow.fct_flow_events limit 1", True),
        ("bi_reader", "select * from published_restricted.fct_bookings limit 1", False),
        ("bi_reader", "select * from published_restricted.dim_members limit 1", False),
        ("restricted_reader", "select * from published_restricted.fct_bookings limit 1", True),
        ("restricted_reader", "select * from published_core.dim_dates limit 1", False),
        ("restricted_reader", "select * from raw_app_db.members limit 1", False),
        ("restricted_reader", "select * from booking_flow.fct_bookings limit 1", False),
        ("restricted_reader", "delete from published_restricted.fct_bookings", False),
        ("bi_reader", "select * from core.dim_dates limit 1", False),
        ("bi_reader", "select * from booking_flow.fct_bookings limit 1", False),
        ("bi_reader", "select * from staging.stg_app_db__members limit 1", False),
        ("bi_reader", "select * from intermediate.int_core__hospitals_cleaned limit 1", False),
        ("bi_reader", "select * from raw_app_db.members limit 1", False),
        ("bi_reader", "select * from raw_ledger.quarantine limit 1", False),
        ("bi_reader", "delete from published_core.dim_dates", False),
        ("bi_reader", "create table published_core.mine (a int)", False),
        ("bi_reader", "create table public.mine (a int)", False),
        ("bi_reader", "set role goodoc_transformer", False),
        ("goodoc_loader", "insert into raw_app_db.reviews (id) values (-1)", True),
        ("goodoc_loader", "select * from core.dim_members limit 1", False),
        ("goodoc_loader", "select * from published_core.dim_dates limit 1", False),
        ("goodoc_loader", "create table core.mine (a int)", False),
        ("goodoc_transformer", "select * from raw_app_db.members limit 1", True),
        ("goodoc_transformer", "create table core.mine (a int)", True),
        ("goodoc_transformer", "insert into raw_app_db.reviews (id) values (-1)", False),
        ("goodoc_transformer", "delete from raw_ledger.loads", False),
        ("goodoc_transformer", "drop table raw_app_db.reviews", False),
    ],
)
def test_each_role_can_do_its_work_and_no_more(
    logins: dict[str, str], role: str, statement: str, is_allowed: bool
) -> None:
    with closing(psycopg2.connect(logins[role])) as connection, connection.cursor() as cursor:
        if is_allowed:
            cursor.execute(statement)
        else:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
        connection.rollback()


def test_postgres_readers_see_the_old_marts_or_the_new_ones(engines: dict[str, OnEngine]) -> None:
    postgres = engines["postgres"]
    members = "select count(*) from published_restricted.dim_members"
    regions = "select count(*) from published_core.dim_regions"
    one_less = "delete from core.dim_members where member_key = (select min(member_key)"
    one_less += " from core.dim_members)"
    (before,) = postgres.query(members)
    postgres.execute(
        f"create view public.mine as {members}",
        one_less,
    )
    with closing(psycopg2.connect(postgres.environment["GOODOC_PG_URL"])) as reader:
        reader.set_session(isolation_level="REPEATABLE READ")
        with reader.cursor() as cursor:
            cursor.execute(members)
            # neither waits for the other, and what an analyst built on a table goes on
            assert postgres("publish").returncode == 0
            cursor.execute(members)
            assert cursor.fetchone() == before
    (after,) = postgres.query(members)
    assert after == (before[0] - 1,)
    assert postgres.query("select * from public.mine") == [after]

    # one table that can't be exchanged: none is
    postgres.execute(
        "alter table published_core.dim_regions add column another int",
        "create view public.other as select another from published_core.dim_regions",
        one_less,
    )
    (count,) = postgres.query(regions)
    refused = postgres("publish")
    assert refused.returncode == 1
    assert "nothing published: Postgres: cannot drop table" in refused.stderr
    assert postgres.query(members) == [after] and postgres.query(regions) == [count]
    postgres.execute("drop view public.other")
    assert postgres("publish").returncode == 0
    assert postgres.query(members) == [(before[0] - 2,)]


def test_bigquery_tables_have_their_layout_labels_and_policy_tags(
    engines: dict[str, OnEngine],
) -> None:
    """What no row shows: partitions, clusters, labels, who may read, and tags by privacy class."""
    manifest = json.loads((engines["bigquery"].home / "dbt" / "manifest.json").read_text())
    with closing(engines["bigquery"].bigquery()) as client:
        for model in manifest["nodes"].values():
            if model["resource_type"] != "model" or "marts" not in model["fqn"]:
                continue
            table = client.get_table(f"{model['schema']}.{model['name']}")
            assert table.labels == {"layer": "marts", "mart": model["schema"]}, table
            days = model["config"]["meta"].get("replace_days")
            assert (table.time_partitioning and table.time_partitioning.field) == (
                days and days["column"]
            ), table
            assert bool(table.clustering_fields) == bool(days), table
            is_restricted = is_one_persons(model)
            schema = "restricted" if is_restricted else model["schema"]
            published = client.get_table(f"published_{schema}.{model['name']}")
            assert published.time_partitioning == table.time_partitioning
            assert published.description == table.description
            fields = {field.name: field for field in published.schema}
            for field in table.schema:
                privacy = model["columns"][field.name]["meta"]["privacy"]
                tags = field.policy_tags.names if field.policy_tags else ()
                assert tags == ((POLICY_TAGS[privacy],) if privacy in POLICY_TAGS else ()), field
                assert (field.name in fields) == (is_restricted or privacy != "pseudonym")
                copy = fields.get(field.name, field)
                of_many = privacy == "sensitive" and not is_restricted
                tags = None if of_many else field.policy_tags
                assert (copy.policy_tags, copy.field_type) == (tags, field.field_type), field
                assert copy.description.startswith(" ".join(field.description.split()))

        raw = client.get_table("raw_clinic_devices.heartbeats")
        assert raw.time_partitioning.field == "sent_at" and raw.clustering_fields
        members = {field.name: field for field in client.get_table("raw_app_db.members").schema}
        assert members["phone"].policy_tags.names == (POLICY_TAGS["pseudonym"],)
        assert members["sex"].policy_tags is None

        def readers(dataset: str) -> set[str]:
            entries = client.get_dataset(dataset).access_entries
            return {entry.entity_id for entry in entries} & {READERS, CLEARED_READERS}

        for mart in MARTS:
            assert readers(f"published_{mart}") == {READERS}
            assert readers(mart) == set()
        assert readers("published_restricted") == {CLEARED_READERS}


def is_one_persons(model: dict[str, Any]) -> bool:
    """Whether a mart's row is a person, or tells of somebody's health."""
    classes = {name: column["meta"]["privacy"] for name, column in model["columns"].items()}
    meta = model["config"]["meta"]
    return any(classes[name] == "pseudonym" for name in meta["grain"]) or (
        "sensitive" in classes.values() and "smallest_cell" not in meta
    )


def test_no_statement_needed_another_engine_than_googles(engines: dict[str, OnEngine]) -> None:
    endpoint = engines["bigquery"].environment["GOODOC_BQ_ENDPOINT"]
    with urlopen(f"{endpoint}/report") as answer:
        report = json.load(answer)
    print(f"\n{report}")
    assert report["judged"] > 1000 and report["reference"] > 1000
    assert report["fallbacks"] == []


def test_a_model_that_is_not_portable_is_found(
    engines: dict[str, OnEngine], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    names = ["models", "seeds", "macros", "tests/data", "dbt_project.yml"]
    for name in names:
        source, copy = PROJECT / name, project / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    planted = project / "models" / "marts" / "core" / "dim_planted"
    planted.with_suffix(".yml").write_text(
        "models:\n- name: dim_planted\n  config: {contract: {enforced: false}}\n"
    )

    # both engines take it, and give different answers
    planted.with_suffix(".sql").write_text("select 7 / 2 as half, 1 as one")
    pair = {name: engines[name] for name in ("duckdb", "postgres")}
    on_each_dbt(pair, "run", "--select", "dim_planted", project=project)
    found = [line for line in unequal(compare(pair)) if "dim_planted" in line]
    assert len(found) == 1 and found[0].startswith("postgres, core.dim_planted(half, one)")

    # both of these would take it, BigQuery doesn't
    planted.with_suffix(".sql").write_text("select '7'::int as seven")
    refused = engines["bigquery"].dbt("run", "--select", "dim_planted", project=project)
    assert refused.returncode == 1 and "Syntax error" in refused.stdout

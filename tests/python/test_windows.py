"""Windows that are built again: the same rows on each engine, which are what raw now implies.

A small project of its own (one raw table, its changes, two facts) runs with the macros and settings
of the real one.
"""

import json
import os
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import psycopg2
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from google.cloud import bigquery

from engines import bigquery_endpoint, postgres_server
from goodoc.settings import Postgres

PROJECT = Path(__file__).resolve().parents[2]
FACT, DAILY = "core.fct_visits", "core.fct_visits_daily"
WATERMARKS = "intermediate.watermarks"
TAG = "projects/p/locations/l/taxonomies/1/policyTags/2"

MODELS = {
    "sources.yml": """
        sources:
          - {name: raw_ledger, tables: [{name: loads}]}
          - {name: raw_clinic, tables: [{name: visits}]}
    """,
    "staging/stg_visits.sql": """
        with entries as (
            select *, {{ kst_date('visited_at') }} as visited_date
            from {{ source('raw_clinic', 'visits') }}
        )
        select
            id as visit_id, visited_at, visited_date, token,
            is_deleted, load_id,
            row_number() over (partition by id, visited_at, visited_date order by load_id) as n
        from entries
    """,
    "intermediate/int_visit_changes.sql": """
        select visited_date, load_id from {{ ref('stg_visits') }}
    """,
    "marts/core/fct_visits.sql": """
        {{ replaces_days('visited_date', changes='int_visit_changes', looked_up_by=['visit_id']) }}
        select visit_id, visited_date, token, load_id
        from {{ ref('stg_visits') }}
        where not is_deleted and n = 1
            and {{ in_days_to_replace('visited_date', instant='visited_at') }}
    """,
    "marts/core/fct_visits_daily.sql": """
        {{ replaces_days('visited_date', changes='int_visit_changes', looked_up_by=['load_id']) }}
        select visited_date, count(*) as visit_count, max(load_id) as load_id
        from {{ ref('fct_visits') }} where {{ in_days_to_replace('visited_date') }}
        group by visited_date
    """,
    "marts/core/facts.yml": """
        models:
          - name: fct_visits
            columns:
              - {name: visit_id, data_type: bigint, config: {meta: {privacy: none}}}
              - {name: visited_date, data_type: date, config: {meta: {privacy: none}}}
              - {name: token, data_type: string, config: {meta: {privacy: pseudonym}}}
              - {name: load_id, data_type: bigint, config: {meta: {privacy: none}}}
          - name: fct_visits_daily
            columns:
              - {name: visited_date, data_type: date}
              - {name: visit_count, data_type: bigint}
              - {name: load_id, data_type: bigint}
    """,
}  # fmt: skip


class Visit(NamedTuple):
    id: int
    at: datetime
    token: str
    load: int
    deleted: bool = False

    @property
    def day(self) -> date:
        return (self.at + timedelta(hours=9)).date()


class Clinic:
    """The small project on one engine, its raw table, and what the facts must be."""

    def __init__(self, folder: Path, run: Callable[[str], list[tuple]], target: str):
        self.folder = folder
        self.run = run
        self.rows: dict[int, Visit] = {}
        self.loads = 0
        text = "string" if target == "bigquery" else "text"
        bigint = "int64" if target == "bigquery" else "bigint"
        (folder / "macros").symlink_to(PROJECT / "macros")
        shutil.copyfile(PROJECT / "dbt_project.yml", folder / "dbt_project.yml")
        shutil.copyfile(PROJECT / "profiles.example.yml", folder / "profiles.yml")
        for name, content in MODELS.items():
            file = folder / "models" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        # a project without seeds and tests gets warned of settings that nothing uses
        settings = yaml.safe_load((folder / "dbt_project.yml").read_text())
        del settings["seeds"]
        (folder / "dbt_project.yml").write_text(yaml.safe_dump(settings))
        for statement in (
            "create schema raw_clinic",
            "create schema raw_ledger",
            f"create table raw_ledger.loads (load_id {bigint})",
            f"create table raw_clinic.visits (id {bigint}, visited_at timestamp, token {text},"
            f" is_deleted boolean, load_id {bigint})",
        ):
            run(statement)

    def load(self, *visits: tuple[int, str, str], vanished: tuple[int, ...] = ()) -> None:
        """Visits (id, instant, token), as the loader writes them; vanished ones are marked."""
        self.loads += 1
        for id, at, token in visits:
            self.rows[id] = Visit(id, datetime.fromisoformat(at), token, self.loads)
        for id in vanished:
            self.rows[id] = self.rows[id]._replace(load=self.loads, deleted=True)
        self.write([*(id for id, *_ in visits), *vanished])
        self.run(f"insert into raw_ledger.loads values ({self.loads})")

    def write(self, ids: list[int]) -> None:
        listed = ", ".join(map(str, ids))
        self.run(f"delete from raw_clinic.visits where id in ({listed})")
        values = ", ".join(
            f"({id}, timestamp '{row.at}', '{row.token}', {str(row.deleted).lower()}, {row.load})"
            for id, row in self.rows.items()
            if id in ids
        )
        if values:
            self.run(f"insert into raw_clinic.visits values {values}")

    def lose(self, *ids: int) -> None:
        """Rows leave raw without a trace."""
        for id in ids:
            del self.rows[id]
        self.write(list(ids))

    def dbt(self, *command: str, **variables: str) -> None:
        arguments = ["--quiet", "--no-use-colors", *command, "--vars", json.dumps(variables)]
        for option in ("project-dir", "profiles-dir", "log-path"):
            arguments += [f"--{option}", str(self.folder)]
        result = dbtRunner().invoke([*arguments, "--target-path", str(self.folder / "target")])
        DuckDBConnectionManager.close_all_connections()
        assert result.success, (result.exception, result.result and list(result.result))

    def facts(self) -> tuple[list[tuple], list[tuple]]:
        return (
            self.run(f"select visit_id, visited_date, token, load_id from {FACT} order by 1"),
            self.run(f"select visited_date, visit_count, load_id from {DAILY} order by 1"),
        )

    def expected(self) -> tuple[list[tuple], list[tuple]]:
        rows = [row for _, row in sorted(self.rows.items()) if not row.deleted]
        days = {day: [row.load for row in rows if row.day == day] for day in {r.day for r in rows}}
        return (
            [(row.id, row.day, row.token, row.load) for row in rows],
            [(day, len(loads), max(loads)) for day, loads in sorted(days.items())],
        )

    def is_right(self) -> bool:
        assert self.facts() == self.expected()
        return True

    def watermarks(self) -> dict[str, int]:
        return dict(self.run(f"select model_name, load_id from {WATERMARKS}"))

    def sent(self, model: str) -> str:
        """What dbt sent last to replace a model's days."""
        (file,) = (self.folder / "target" / "run").rglob(f"{model}.sql")
        return file.read_text()


def on_duckdb(folder: Path, environment: pytest.MonkeyPatch) -> Callable[[str], list[tuple]]:
    environment.setenv("GOODOC_HOME", str(folder))

    def run(statement: str) -> list[tuple]:
        with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
            return connection.execute(statement).fetchall()

    return run


def on_postgres(folder: Path, environment: pytest.MonkeyPatch) -> Callable[[str], list[tuple]]:
    url = postgres_server()
    for name, value in Postgres(url).environment().items():
        environment.setenv(name, value)
    environment.setenv("GOODOC_PG_ROLE", Postgres(url).environment()["GOODOC_PG_USER"])

    def run(statement: str) -> list[tuple]:
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return run


def on_bigquery(folder: Path, environment: pytest.MonkeyPatch) -> Callable[[str], list[tuple]]:
    for name, value in bigquery_endpoint().environment.items():
        environment.setenv(name, value)
    environment.setenv("GOODOC_BQ_POLICY_TAGS", f"sensitive=none, pseudonym={TAG}")

    def run(statement: str) -> list[tuple]:
        rows = client().query_and_wait(statement)
        return [tuple(row.values()) for row in rows]

    return run


def client() -> bigquery.Client:
    return bigquery.Client(
        os.environ["GOODOC_BQ_PROJECT"],
        client_options={"api_endpoint": os.environ["GOODOC_BQ_ENDPOINT"]},
    )


ENGINES = {"duckdb": on_duckdb, "postgres": on_postgres, "bigquery": on_bigquery}


@pytest.fixture(params=ENGINES)
def clinic(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Clinic:
    monkeypatch.setenv("GOODOC_TARGET", request.param)
    return Clinic(tmp_path, ENGINES[request.param](tmp_path, monkeypatch), request.param)


@pytest.fixture
def small_clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """On DuckDB, for what no engine does differently."""
    monkeypatch.setenv("GOODOC_TARGET", "duckdb")
    return Clinic(tmp_path, on_duckdb(tmp_path, monkeypatch), "duckdb")


FIRST = (
    (1, "2026-06-01 01:00:00", "a"),
    # one second before and at Korean midnight
    (2, "2026-06-01 14:59:59", "b"),
    (3, "2026-06-01 15:00:00", "c"),
    (4, "2026-06-02 03:00:00", "d"),
    (5, "2026-06-03 03:00:00", "e"),
    (6, "2026-06-05 03:00:00", "f"),
)


def test_any_window_leaves_what_raw_implies(clinic: Clinic) -> None:
    clinic.load(*FIRST)
    clinic.dbt("run")
    assert clinic.is_right()
    assert clinic.watermarks() == {"fct_visits": 1, "fct_visits_daily": 1}

    # late on an older day, restated and vanished on the second, and the third day gone
    clinic.load(
        (7, "2026-05-20 15:00:00", "late"), (3, "2026-06-01 15:00:00", "new"), vanished=(4, 5)
    )
    clinic.dbt("run")
    assert clinic.is_right()
    assert clinic.watermarks() == {"fct_visits": 2, "fct_visits_daily": 2}

    # nothing new
    clinic.dbt("run")
    assert clinic.is_right()

    # rows of the window that left raw untold, one of them the only one of its day; twice the same
    clinic.load((8, "2026-06-03 04:00:00", "g"), (9, "2026-06-06 04:00:00", "h"))
    clinic.lose(3, 6)
    for _ in range(2):
        clinic.dbt("run", since="2026-06-02", until="2026-06-05")
        assert clinic.is_right()
    assert clinic.watermarks() == {"fct_visits": 3, "fct_visits_daily": 3}

    increments = clinic.facts()
    clinic.dbt("run", "--full-refresh")
    assert clinic.is_right() and clinic.facts() == increments


def test_a_fact_has_its_layout(clinic: Clinic, request: pytest.FixtureRequest) -> None:
    clinic.load(*FIRST)
    clinic.dbt("run")
    clinic.load((7, "2026-06-01 03:00:00", "late"))
    clinic.dbt("run")
    target = request.node.callspec.params["clinic"]
    days = "in (cast('2026-06-01' as date))"
    if target == "duckdb":
        assert clinic.run("select * from duckdb_indexes()") == []
        assert f"where visited_date {days}" in clinic.sent("fct_visits")
    elif target == "postgres":
        indexes = clinic.run("select indexdef from pg_indexes where tablename = 'fct_visits'")
        columns = {definition.rpartition("(")[2].rstrip(")") for (definition,) in indexes}
        assert columns == {"visited_date", "visit_id"}
    else:
        table = client().get_table("core.fct_visits")
        assert (table.time_partitioning.type_, table.time_partitioning.field) == (
            "DAY", "visited_date",
        )  # fmt: skip
        assert not table.require_partition_filter
        assert table.clustering_fields == ["visit_id"]
        assert table.labels == {"layer": "marts", "mart": "core"}
        tags = {field.name: field.policy_tags for field in table.schema}
        assert [name for name, tag in tags.items() if tag and tag.names] == ["token"]
        assert tags["token"].names == (TAG,)
        merge = "".join(clinic.sent("fct_visits").split()).replace("`", "")
        pruned = "notmatchedbysourceanddbt_internal_dest.visited_date" + days.replace(" ", "")
        assert pruned in merge.lower()


def test_a_killed_run_is_repeated(small_clinic: Clinic) -> None:
    clinic = small_clinic
    clinic.load(*FIRST)
    clinic.dbt("run")
    clinic.load((7, "2026-06-01 03:00:00", "late"))
    clinic.dbt("run")
    # the facts were replaced, but the run didn't come to its end
    clinic.run(f"update {WATERMARKS} set load_id = 1")
    clinic.dbt("run")
    assert clinic.is_right()
    assert "cast('2026-06-01' as date)" in clinic.sent("fct_visits")
    clinic.run(f"drop table {WATERMARKS}")
    clinic.load((8, "2026-06-02 03:00:00", "more"))
    clinic.dbt("run")
    assert clinic.is_right()


def test_a_load_during_a_run_is_the_next_ones(small_clinic: Clinic) -> None:
    clinic = small_clinic
    clinic.load(*FIRST)
    clinic.dbt("run")
    model = clinic.folder / "models/marts/core/fct_visits_daily.sql"
    meanwhile = "insert into raw_ledger.loads values (2)"
    text = model.read_text()
    model.write_text(text + '{{ config(pre_hook="' + meanwhile + '") }}')
    clinic.dbt("run")
    assert clinic.watermarks() == {"fct_visits": 1, "fct_visits_daily": 1}
    model.write_text(text)
    clinic.loads = 1
    clinic.run("delete from raw_ledger.loads where load_id = 2")
    clinic.load((7, "2026-06-01 03:00:00", "late"))
    clinic.dbt("run")
    assert clinic.is_right()


def test_a_fact_built_alone_is_no_newer_than_what_it_reads(small_clinic: Clinic) -> None:
    clinic = small_clinic
    clinic.load(*FIRST)
    clinic.dbt("run")
    clinic.load((7, "2026-06-01 03:00:00", "late"))
    clinic.dbt("run", "--select", "fct_visits_daily")
    assert clinic.watermarks() == {"fct_visits": 1, "fct_visits_daily": 1}
    clinic.dbt("run", "--select", "fct_visits")
    clinic.dbt("run", "--select", "fct_visits_daily")
    assert clinic.watermarks() == {"fct_visits": 2, "fct_visits_daily": 2}
    assert clinic.is_right()


@pytest.mark.parametrize("command", [("compile",), ("run", "--empty")])
def test_only_rows_that_were_built_count(small_clinic: Clinic, command: tuple[str, ...]) -> None:
    clinic = small_clinic
    clinic.load(*FIRST)
    clinic.dbt("run")
    clinic.load((7, "2026-06-01 03:00:00", "late"))
    clinic.dbt(*command)
    assert set(clinic.watermarks().values()) == {1}
    clinic.dbt("run")
    assert clinic.is_right()

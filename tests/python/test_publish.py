"""Readers see tested marts, whole, in one step, and what is restricted with clearance only."""

import grp
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

import simulator
from conftest import PROJECT, Goodoc, contents, differences
from extract_load.loader.pseudonyms import PseudonymKey

MARTS = "'core', 'marketing', 'tablet_usage', 'prescription', 'booking_flow'"
PUBLISHED, RESTRICTED = "published/marts.duckdb", "published/restricted/marts.duckdb"
SECRET = "a key of 32 bytes, like no value"  # a run of one letter is in any file


@pytest.fixture(scope="module")
def published(small_company: Path, tmp_path_factory: pytest.TempPathFactory) -> Goodoc:
    """A company that was run once; read only."""
    goodoc = Goodoc(tmp_path_factory.mktemp("published") / "home").use(small_company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text(SECRET)
    result = goodoc("run")
    assert result.returncode == 0, result.stderr
    assert "0 rows unaccounted for" in result.stdout
    return goodoc


@pytest.fixture
def running(published: Goodoc, company: Path, tmp_path: Path) -> Goodoc:
    """A copy of it to do with as a test likes, over a company to do with as a test likes."""
    shutil.copytree(published.home, tmp_path / "home", symlinks=True)
    return Goodoc(tmp_path / "home").use(company)


@pytest.mark.parametrize("file", [PUBLISHED, RESTRICTED])
def test_a_published_file_is_whole_and_described(published: Goodoc, file: str) -> None:
    columns = published.query(
        "select schema_name, table_name, column_name, comment from duckdb_columns()"
        f" where schema_name in ({MARTS}, 'restricted')",
        file,
    )
    assert columns and all(comment for *_, comment in columns)
    warehouse = dict(
        published.query(
            f"select table_name, schema_name from duckdb_tables() where schema_name in ({MARTS})"
        )
    )
    folder = (published.home / file).parent / "parquet"
    for schema, table in {(schema, table) for schema, table, *_ in columns}:
        parquet = folder / schema / f"{table}.parquet"
        (there,) = published.query(f"select count(*) from {schema}.{table}", file)
        assert duckdb.sql(f"select count(*) from '{parquet}'").fetchall() == [there]
        built = f"{warehouse[table]}.{table}"
        assert published.query(f"select count(*) from {built}") == [there]
    # byte 12 of a DuckDB file is its storage format; clients from 1.0 on read format 64
    assert (published.home / file).read_bytes()[12] == 64


def test_each_mart_is_in_the_file_of_its_readers(published: Goodoc) -> None:
    """As the classes in the YAML say, read without the product's own rule."""
    declared = {}
    for file in (PROJECT / "models" / "marts").glob("*/*.yml"):
        for model in yaml.safe_load(file.read_text()).get("models", []):
            declared[model["name"]] = model
    places: dict[str, dict[str, set[str]]] = {}
    for file in (PUBLISHED, RESTRICTED):
        found = published.query("select table_name, column_name from duckdb_columns()", file)
        places[file] = {}
        for table, column in found:
            places[file].setdefault(table, set()).add(column)
    open_to_all = places[PUBLISHED].keys() & declared.keys()
    restricted = places[RESTRICTED].keys() & declared.keys()
    assert not open_to_all & restricted
    assert open_to_all | restricted == declared.keys()
    assert {"dim_members", "fct_prescriptions", "fct_receptions"} <= restricted
    for name, model in declared.items():
        classes = {
            column["name"]: column["config"]["meta"]["privacy"] for column in model["columns"]
        }
        meta = model["config"]["meta"]
        if name in open_to_all:
            # nobody can be followed from mart to mart, and health is told of several people only
            keys = {column for column, privacy in classes.items() if privacy == "pseudonym"}
            assert not keys & places[PUBLISHED][name], name
            assert not keys & set(meta["grain"]), name
            assert "sensitive" not in classes.values() or "smallest_cell" in meta, name
        else:
            assert places[RESTRICTED][name] == classes.keys(), name


def test_published_instants_of_people_have_no_minutes(published: Goodoc) -> None:
    seen = 0
    for file in (PUBLISHED, RESTRICTED):
        for schema, table, column, comment in published.query(
            "select schema_name, table_name, column_name, comment from duckdb_columns()"
            f" where data_type = 'TIMESTAMP' and schema_name in ({MARTS}, 'restricted')",
            file,
        ):
            to_the_hour = comment.endswith("Published to the hour.")
            minutes = published.query(
                f"select count(*) from {schema}.{table}"
                f" where {column} <> date_trunc('hour', {column})",
                file,
            )
            assert not to_the_hour or minutes == [(0,)], f"{table}.{column}"
            seen += to_the_hour
    assert seen > 20
    ((exact,),) = published.query(
        "select count(*) from booking_flow.fct_receptions"
        " where requested_at <> date_trunc('hour', requested_at)"
    )
    assert exact


def test_modes_keep_everything_to_the_owner(published: Goodoc) -> None:
    open_to_others = [
        path
        for path in published.home.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o077 and path.name != "pseudonym.key"
    ]
    assert open_to_others == []


def test_a_group_of_readers_sees_what_is_published_and_nothing_restricted(
    running: Goodoc,
) -> None:
    refused = running("publish", GOODOC_READER_GROUP="nobody-has-this")
    assert refused.returncode == 1 and "GOODOC_READER_GROUP is nobody-has-this" in refused.stderr
    group = grp.getgrgid(os.getgid()).gr_name
    assert running("publish", GOODOC_READER_GROUP=group).returncode == 0
    release = (running.home / "published").resolve()
    readable = [
        path
        for path in running.home.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o040 and path.name != "pseudonym.key"
    ]
    assert {path.relative_to(release).parts[0] for path in readable if path.is_file()} == {
        "marts.duckdb", "parquet",
    }  # fmt: skip
    for path in readable:
        assert release in (path, *path.parents) and path.stat().st_gid == os.getgid()
    assert len([*(release / "restricted").rglob("*")]) > 3


def test_no_direct_identifier_is_anywhere_in_the_home(
    published: Goodoc, small_company: Path
) -> None:
    with sqlite3.connect(small_company / "app_db" / "app.sqlite") as connection:
        people = connection.execute(
            "select phone, name, email, ci from members"
            " where phone is not null and email is not null limit 50"
        ).fetchall()
    canaries = {value.encode() for row in people for value in row if value and len(value) > 6}
    assert len(canaries) > 50
    key = SECRET.encode()
    for path in published.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            assert not [canary for canary in canaries if canary in data], path
            assert path.name == "pseudonym.key" or key not in data, path


def test_a_run_with_nothing_new_changes_nothing(running: Goodoc) -> None:
    before = contents(running)
    result = running("run", "--json")
    assert result.returncode == 0, result.stderr
    assert sum(table["loaded"] for table in json.loads(result.stdout)["load"]["tables"]) == 0
    after = contents(running)
    # the balance counts the second reading, too
    assert before.pop("core.fct_row_balance") != after.pop("core.fct_row_balance")
    assert before == after


def test_a_red_test_publishes_nothing_and_says_why(running: Goodoc) -> None:
    release = (running.home / "published").resolve()
    count = "select count(*) from booking_flow.fct_flow_events"
    held = duckdb.connect(str(running.home / "published" / "marts.duckdb"), read_only=True)
    rows = held.execute(count).fetchall()

    with duckdb.connect(str(running.home / "warehouse.duckdb")) as connection:
        # a row that breaks a key of a mart
        connection.execute("insert into raw_app_db.doctors from raw_app_db.doctors limit 1")
    red = running("run")
    assert red.returncode == 1
    assert "nothing published: test " in red.stderr and "found 1 bad row" in red.stderr
    assert (running.home / "published").resolve() == release
    refused = running("publish")
    assert refused.returncode == 1 and "nothing published, the last build failed" in refused.stderr

    with duckdb.connect(str(running.home / "warehouse.duckdb")) as connection:
        last = "(select max(rowid) from raw_app_db.doctors)"
        connection.execute(f"delete from raw_app_db.doctors where rowid = {last}")
    green = running("run")
    assert green.returncode == 0, green.stderr
    assert (running.home / "published").resolve() != release
    # who held the old file goes on reading it
    assert held.execute(count).fetchall() == rows
    held.close()


def test_a_run_killed_in_the_build_ends_right_the_next_time(running: Goodoc, company: Path) -> None:
    simulator.append_day(company)
    assert running("load").returncode == 0
    (running.home / "dbt" / "logs" / "dbt.log").unlink(missing_ok=True)
    build = subprocess.Popen(
        [sys.executable, "-c", "from goodoc.cli import main; main()", "build"],
        env=running.environment,
    )
    wal = running.home / "warehouse.duckdb.wal"
    deadline = time.monotonic() + 120
    while not wal.exists() and build.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(5)  # somewhere among its models
    assert build.poll() is None, "the build ended before it could be killed"
    build.kill()
    build.wait()
    result = running("run")
    assert result.returncode == 0, result.stderr
    assert differences(running, company) == {}


def test_a_person_erased_is_gone_from_the_warehouse_and_the_published_copy_for_good(
    running: Goodoc, company: Path
) -> None:
    with sqlite3.connect(company / "app_db" / "app.sqlite") as connection:
        members = connection.execute("select distinct member_id from prescriptions").fetchall()
    seen = {token for (token,) in running.query("select member_id from raw_app_events.events")}
    tokens = {
        str(member): PseudonymKey(SECRET.encode()).token(str(member)) for (member,) in members
    }
    member, token = next((m, t) for m, t in sorted(tokens.items()) if t in seen)
    assert {"raw_app_db.prescriptions", "raw_app_events.events"} <= places(running, token)

    # somebody else asks for it
    asking = max(int(each) for each, other in tokens.items() if other in seen and other != token)
    with sqlite3.connect(company / "app_db" / "app.sqlite") as connection:
        connection.execute("delete from erasure_requests")
        connection.execute(
            "insert into erasure_requests (id, member_id, requested_at)"
            " select 1, ?, max(created_at) from bookings",
            [asking],
        )
    assert running("load", "app_db").returncode == 0
    refused = running("erase")
    assert refused.returncode == 1 and "whom? Say --member ID, or --requested" in refused.stderr
    result = running("erase", "--member", str(member), "--requested", "--json")
    assert result.returncode == 0, result.stderr
    # that member, who asks now, and who had asked before
    assert json.loads(result.stdout)["people"] >= 2
    ledger = {"raw_ledger.erased_people", "raw_ledger.erased_rows"}
    assert places(running, token) == places(running, tokens[str(asking)]) == ledger
    nobody = running("erase", "--requested")
    assert "nobody asks to be erased" in nobody.stdout
    assert len(list((running.home / "releases").iterdir())) == 1

    # neither the next day nor everything read again brings them back
    simulator.append_day(company)
    assert running("load", "--since", "2026-01-01").returncode == 0
    report = running("run", "--json")
    assert report.returncode == 0, report.stderr
    assert json.loads(report.stdout)["unaccounted_rows"] == 0
    assert places(running, token) == ledger


def test_what_is_past_its_period_is_gone_everywhere_and_for_good(running: Goodoc) -> None:
    oldest = "select min(issued_date) from {}"
    raw, mart = "raw_app_db.prescriptions", "prescription.fct_prescriptions"
    (before,) = running.query(oldest.format(raw))
    two_years_on = {"GOODOC_TODAY": "2028-06-16"}
    trial = running("expire", "--dry-run", **two_years_on)
    assert trial.returncode == 0 and "rows would go" in trial.stdout, trial.stderr
    refused = running("expire", "--json", **two_years_on)
    assert refused.returncode == 1 and "if 2028-06-16 is the day, say --most" in refused.stderr
    assert running.query(oldest.format(raw)) == [before]

    done = running("expire", "--most", "--json", **two_years_on)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["build"]["failures"] == [] and "app_db.members" in report["kept_for_good"]
    cutoff = date(2026, 6, 15)
    assert before < (cutoff,)
    for table in (raw, mart):
        assert running.query(oldest.format(table)) >= [(cutoff,)], table
    assert running.query(oldest.format("restricted.fct_prescriptions"), RESTRICTED) >= [(cutoff,)]
    assert len(list((running.home / "releases").iterdir())) == 1
    for each in report["expiries"]:
        assert not each["oldest"] or each["oldest"] >= each["cutoff"], each
    rows = running.query(f"select count(*) from {raw}")

    assert running("load", "--since", "2026-01-01").returncode == 0
    assert running.query(f"select count(*) from {raw}") == rows
    status = json.loads(running("status", "--json").stdout)
    assert status and not sum(table["unaccounted"] or 0 for table in status)


def places(goodoc: Goodoc, token: str) -> set[str]:
    """Every table of the warehouse and of the published files that the pseudonym stands in."""
    found = set()
    for database in ("warehouse.duckdb", PUBLISHED, RESTRICTED):
        tables = goodoc.query(
            "select schema_name || '.' || table_name, string_agg(column_name, ', ')"
            " from duckdb_columns() semi join duckdb_tables() using (table_oid)"
            " where data_type = 'VARCHAR' and not internal group by 1",
            database,
        )
        found |= {
            table
            for table, texts in tables
            if goodoc.query(
                f"select 1 from {table} where concat_ws(' ', {texts}) like '%{token}%' limit 1",
                database,
            )
        }
    return found

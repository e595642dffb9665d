"""The whole way, from a made-up company's systems to the published marts, against its truth."""

import json
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
import yaml

import simulator
from conftest import Goodoc

FIGURES = yaml.safe_load((Path(__file__).parent / "truth_figures.yml").read_text())


def truth(company: Path) -> dict:
    return json.loads((company / "truth.json").read_text())


def differences(goodoc: Goodoc, company: Path) -> dict[str, tuple]:
    """Figure -> (truth, mart) where they differ; each figure has a query, each query a figure."""
    figures = truth(company)["figures"]
    assert set(figures) == set(FIGURES)
    found = {name: goodoc.query(query)[0][0] for name, query in FIGURES.items()}
    return {
        name: (value, found[name])
        for name, value in figures.items()
        if found[name] is None or abs(float(found[name]) - value) > 0.005
    }


def loaded_as_the_truth_says(goodoc: Goodoc, company: Path) -> None:
    """Every row at the sources was read; what had to be rejected was, and nothing else."""
    facts = truth(company)
    status = {
        f"{table['source']}.{table['table']}": table
        for table in json.loads(goodoc("status", "--json").stdout)
    }
    assert set(status) == set(facts["rows"])
    rejected = dict(
        goodoc.query(
            "select source || '.' || table_name, count(*) from raw_ledger.quarantine group by all"
        )
    )
    assert rejected == facts["quarantine"]
    for name, table in status.items():
        assert table["live"] + rejected.get(name, 0) == facts["rows"][name], name
        assert table["unaccounted"] == 0, name


def contents(goodoc: Goodoc) -> dict[str, list[tuple]]:
    marts = goodoc.query(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in"
        " ('core', 'marketing', 'tablet_usage', 'prescription', 'booking_flow') order by 1"
    )
    return {mart: goodoc.query(f"select * from {mart} order by all") for (mart,) in marts}


def test_every_figure_is_right_at_first_after_two_days_and_after_a_full_refresh(
    goodoc: Goodoc, company: Path
) -> None:
    goodoc.use(company)
    made_key = goodoc(
        "simulate", "--out", str(goodoc.home.parent / "other"), "--days", "2", "--scale", "0.01"
    )
    assert made_key.returncode == 0, made_key.stderr
    assert (goodoc.home / "pseudonym.key").stat().st_mode & 0o777 == 0o600

    first = goodoc("run", "--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["unaccounted_rows"] == 0
    assert {mart["schema"] for mart in report["published"]} == {
        "core", "marketing", "tablet_usage", "prescription", "booking_flow",
    }  # fmt: skip
    assert differences(goodoc, company) == {}
    loaded_as_the_truth_says(goodoc, company)

    for _ in range(2):
        simulator.append_day(company)
        again = goodoc("run", "--json")
        assert again.returncode == 0, again.stderr
        assert differences(goodoc, company) == {}
    loaded_as_the_truth_says(goodoc, company)

    increments = contents(goodoc)
    refreshed = goodoc("build", "--full-refresh")
    assert refreshed.returncode == 0, refreshed.stderr
    assert differences(goodoc, company) == {}
    full = contents(goodoc)
    for mart, rows in full.items():
        assert increments[mart] == rows, f"{mart}: increments and a full refresh differ"

    # a window that is built again changes nothing
    last = truth(company)["last_day"]
    assert goodoc("build", "--since", "2026-06-10", "--until", last).returncode == 0
    assert contents(goodoc) == full


def test_a_red_test_publishes_nothing_and_says_why(goodoc: Goodoc, company: Path) -> None:
    goodoc.use(company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    assert goodoc("run").returncode == 0
    before = (goodoc.home / "published").resolve()
    held = duckdb.connect(str(goodoc.home / "published" / "marts.duckdb"), read_only=True)
    count = "select count(*) from booking_flow.fct_bookings"
    rows = held.execute(count).fetchall()

    # plant a row that breaks a key of a mart
    with duckdb.connect(str(goodoc.home / "warehouse.duckdb")) as connection:
        connection.execute(
            "insert into raw_app_db.doctors select * from raw_app_db.doctors limit 1"
        )
    red = goodoc("run")
    assert red.returncode == 1
    assert "nothing published: test " in red.stderr and "found 1 bad row" in red.stderr
    assert (goodoc.home / "published").resolve() == before
    refused = goodoc("publish")
    assert refused.returncode == 1 and "nothing published, the last build failed" in refused.stderr

    with duckdb.connect(str(goodoc.home / "warehouse.duckdb")) as connection:
        connection.execute(
            "delete from raw_app_db.doctors"
            " where rowid in (select max(rowid) from raw_app_db.doctors)"
        )
    green = goodoc("run")
    assert green.returncode == 0, green.stderr
    assert (goodoc.home / "published").resolve() != before
    # who held the old file goes on reading it
    assert held.execute(count).fetchall() == rows
    held.close()


def test_the_published_copy_is_whole_described_and_without_person_keys(published: Goodoc) -> None:
    file = "published/marts.duckdb"
    columns = published.query(
        "select schema_name, table_name, column_name, comment from duckdb_columns()", file
    )
    assert columns and all(comment for *_, comment in columns)
    assert not [name for _, _, name, _ in columns if name.endswith(("member_key", "_token"))]
    for schema, table in {(schema, table) for schema, table, *_ in columns}:
        parquet = published.home / "published" / "parquet" / schema / f"{table}.parquet"
        (there,) = published.query(f"select count(*) from {schema}.{table}", file)
        assert duckdb.sql(f"select count(*) from '{parquet}'").fetchall() == [there]
        assert published.query(f"select count(*) from {schema}.{table}") == [there]
    # the storage format that DuckDB 1.0 reads is 64
    assert (published.home / file).read_bytes()[12] == 64


@pytest.fixture(scope="module")
def published(small_company: Path, tmp_path_factory: pytest.TempPathFactory) -> Goodoc:
    """A company that was run once; read only."""
    goodoc = Goodoc(tmp_path_factory.mktemp("published") / "home").use(small_company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    result = goodoc("run")
    assert result.returncode == 0, result.stderr
    assert "0 rows unaccounted for" in result.stdout
    return goodoc


def test_a_run_with_nothing_new_changes_nothing(published: Goodoc) -> None:
    before = contents(published)
    result = published("run", "--json")
    assert result.returncode == 0, result.stderr
    assert sum(table["loaded"] for table in json.loads(result.stdout)["load"]["tables"]) == 0
    after = contents(published)
    balance = "core.fct_row_balance"  # it counts the reading again, too
    assert {k: v for k, v in before.items() if k != balance} == {
        k: v for k, v in after.items() if k != balance
    }


def test_modes_keep_everything_to_the_owner(published: Goodoc) -> None:
    open_to_others = [
        path for path in published.home.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o077 and path.name != "pseudonym.key"
    ]  # fmt: skip
    assert open_to_others == []


def test_no_direct_identifier_is_anywhere_in_the_home(
    published: Goodoc, small_company: Path
) -> None:
    import sqlite3

    with sqlite3.connect(small_company / "app_db" / "app.sqlite") as connection:
        people = connection.execute(
            "select phone, name, email, ci from members"
            " where phone is not null and email is not null limit 50"
        ).fetchall()
    canaries = {value.encode() for row in people for value in row if value and len(value) > 6}
    assert len(canaries) > 50
    key = b"k" * 32
    for path in published.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            assert not [canary for canary in canaries if canary in data], path
            assert path.name == "pseudonym.key" or key not in data, path


def test_a_run_killed_in_the_build_ends_right_the_next_time(goodoc: Goodoc, company: Path) -> None:
    goodoc.use(company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    assert goodoc("load").returncode == 0
    build = subprocess.Popen(
        [sys.executable, "-c", "from goodoc.cli import main; main()", "build"],
        env=goodoc.environment,
    )
    deadline = time.monotonic() + 120
    while not (goodoc.home / "warehouse.duckdb.wal").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2)
    build.kill()
    build.wait()
    assert goodoc("run").returncode == 0
    assert differences(goodoc, company) == {}

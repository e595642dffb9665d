"""What an operator meets: one-line errors that say what to do, exit codes, JSON."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from conftest import DROPS as SOURCE
from conftest import Goodoc

BIGQUERY = {"GOODOC_TARGET": "bigquery", "GOODOC_BQ_PROJECT": "nowhere"}
NO_SERVER = {
    "GOODOC_TARGET": "postgres",
    "GOODOC_PG_URL": "postgresql://goodoc:hunter2@127.0.0.1:1/goodoc",
}


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (
            ("status",),
            {"GOODOC_TARGET": "mysql"},
            "GOODOC_TARGET is 'mysql': it must be one of duckdb",
        ),
        (("load", "nix"), {}, "there is no source nix"),
        (("load", "--since", "yesterday"), {}, "'yesterday' is no day"),
        (("build", "--until", "2026-01-01"), {}, "--until needs --since"),
        (("publish",), {}, "nothing to publish yet"),
        (("status",), {}, "there is no warehouse yet"),
        (("quarantine", "list"), {}, "there is no warehouse yet"),
        (("sources",), {"GOODOC_SOURCES": "nowhere"}, "no such folder of source declarations"),
        (("simulate", "--out", "/etc", "--days", "1"), {}, "/etc"),
        (("load",), {"GOODOC_LOCK_WAIT": "long"}, "must be a number of seconds"),
        (("load",), {"GOODOC_TODAY": "today"}, "write a day as 2026-08-29"),
        (("load",), {"GOODOC_TARGET": "postgres"}, "set GOODOC_PG_URL, as in postgresql://"),
        (("load",), {"GOODOC_TARGET": "bigquery"}, "set GOODOC_BQ_PROJECT"),
        (("load",), BIGQUERY | {"GOODOC_BQ_MAX_BYTES": "1 TB"}, "must be a number of bytes"),
        (
            ("load",),
            BIGQUERY | {"GOODOC_BQ_POLICY_TAGS": "sensitive"},
            "must list CLASS=POLICY_TAG",
        ),
        (("load",), NO_SERVER, "can't connect to Postgres on 127.0.0.1: Connection refused"),
        (("status",), NO_SERVER, "can't connect to Postgres on 127.0.0.1: Connection refused"),
        (("setup",), NO_SERVER, "can't connect to Postgres on 127.0.0.1: Connection refused"),
    ],
)
def test_an_error_is_one_line_that_says_what_is_wrong(
    goodoc: Goodoc, drops: Path, arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    result = goodoc(*arguments, **environment)
    assert result.returncode == 1
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_duckdb_needs_no_setup(goodoc: Goodoc) -> None:
    assert "DuckDB needs no preparation" in goodoc("setup").stdout


def test_a_source_without_models_still_lands_in_raw(goodoc: Goodoc, drops: Path) -> None:
    result = goodoc("load", "--json")
    assert result.returncode == 0, result.stderr
    (table,) = json.loads(result.stdout)["tables"]
    assert (table["read"], table["loaded"], table["quarantined"]) == (2, 1, 1)
    assert goodoc.query("select code, amount from raw_drops.rows") == [("007", 1)]
    (status,) = json.loads(goodoc("status", "--json").stdout)
    assert (status["live"], status["quarantined"], status["unaccounted"]) == (1, 1, None)
    assert "007" not in goodoc("status").stdout
    listed = json.loads(goodoc("quarantine", "list", "--json").stdout)
    assert [(row["reason"], row["row_count"]) for row in listed] == [("amount is no bigint", 1)]
    assert "a.csv:3: amount is no bigint" in goodoc("quarantine", "show", "drops", "rows").stdout


def test_quarantine_replay_brings_the_rows_in(goodoc: Goodoc, drops: Path) -> None:
    goodoc("load")
    (drops / "a.csv").write_text("code,amount\n007,1\nx,2\n")
    result = goodoc("quarantine", "replay")
    assert result.returncode == 0, result.stderr
    assert "0 rows are still in quarantine" in result.stdout
    assert goodoc.query("select code, amount from raw_drops.rows order by 1") == [
        ("007", 1),
        ("x", 2),
    ]
    assert "nothing is in quarantine" in goodoc("quarantine", "replay").stdout


def test_sources_check_names_file_and_line(goodoc: Goodoc, drops: Path) -> None:
    assert "1 sources are well declared" in goodoc("sources", "check").stdout
    result = goodoc("sources", "check", DROPS="")
    assert result.returncode == 1
    assert "drops.yml:4: environment variable DROPS is not set" in result.stdout
    (listed,) = json.loads(goodoc("sources", "--json").stdout)
    assert listed["place"] == "${DROPS}"
    broken = Path(goodoc.environment["GOODOC_SOURCES"]) / "drops.yml"
    broken.write_text(SOURCE.replace("string none", "string"))
    result = goodoc("sources", "check")
    assert result.returncode == 1 and "drops.yml:9:" in result.stderr


def test_sources_check_tries_each_kind_of_source_and_goes_on(
    goodoc: Goodoc, drops: Path, tmp_path: Path
) -> None:
    folder = Path(goodoc.environment["GOODOC_SOURCES"])
    table = "description: One row is a row.\n    key: [id]\n    mode: full\n"
    shop = f"""\
source: shop
description: A shop.
reader: database
connection: sqlite:///{tmp_path}/shop.sqlite
tables:
  orders:
    {table}    columns: {{id: bigint none, note: string none}}
  items:
    {table}    columns: {{id: bigint none}}
"""
    (folder / "shop.yml").write_text(shop)
    (folder / "tapped.yml").write_text(f"""\
source: tapped
description: A tap.
reader: singer
tap: {{executable: tap-that-is-not-there}}
tables:
  rows:
    {table}    columns: {{id: bigint none}}
""")
    (folder / "web.yml").write_text(f"""\
source: web
description: An API that is down.
reader: rest
client: {{base_url: "http://127.0.0.1:9", paginator: single_page, retry: {{attempts: 1}}}}
tables:
  rows:
    {table}    endpoint: {{path: rows, data_selector: $}}
    columns: {{id: bigint none}}
""")
    with sqlite3.connect(tmp_path / "shop.sqlite") as connection:
        connection.execute("create table orders (id integer)")
        connection.execute("create table items (id integer, price integer)")
    found = json.loads(goodoc("sources", "check", "--json").stdout)
    assert [problem.removeprefix(f"{folder}/").split(":")[:2] for problem in found["problems"]] == [
        ["shop.yml", "6"], ["tapped.yml", "4"], ["web.yml", "4"],
    ]  # fmt: skip
    missing, tap, web = found["problems"]
    assert "table orders lacks declared column note" in missing
    assert "tap-that-is-not-there is not on the PATH" in tap
    assert "127.0.0.1" in web and "Traceback" not in web
    assert found["notes"] == [
        f"{folder}/shop.yml:11: items: column price has no privacy class and does not land"
    ]


def test_status_says_what_is_stale(goodoc: Goodoc, drops: Path) -> None:
    declaration = Path(goodoc.environment["GOODOC_SOURCES"]) / "drops.yml"
    declaration.write_text(SOURCE.replace("tables:", "defaults: {fresh_within: 1d}\ntables:"))
    goodoc("load")
    assert "stale" not in goodoc("status").stdout
    declaration.write_text(SOURCE.replace("tables:", "defaults: {fresh_within: 0s}\ntables:"))
    assert "drops.rows: stale, its last load is older than 0:00:00" in goodoc("status").stdout
    assert json.loads(goodoc("status", "--json").stdout)[0]["is_stale"] is True


def test_a_failing_source_gives_its_line_and_exit_code_one(goodoc: Goodoc, drops: Path) -> None:
    result = goodoc("load", DROPS="")
    assert result.returncode == 1
    assert "environment variable DROPS is not set" in result.stderr
    (status,) = json.loads(goodoc("status", "--json").stdout)
    assert status["outcome"] == "failed"


def test_a_second_writer_is_refused_and_told_who_holds_it(goodoc: Goodoc, drops: Path) -> None:
    from extract_load.loader.lock import writer_lock

    goodoc("load")
    with writer_lock(goodoc.home, "goodoc build"):
        result = goodoc("load")
    assert result.returncode == 1
    assert "the warehouse is being written by `goodoc build` (process " in result.stderr


def test_an_optional_source_is_left_out_and_said_to_be(goodoc: Goodoc, drops: Path) -> None:
    folder = Path(goodoc.environment["GOODOC_SOURCES"])
    text = SOURCE.replace("source: drops", "source: extra\noptional: true")
    (folder / "extra.yml").write_text(text.replace("${DROPS}", "${EXTRA}"))

    result = goodoc("load")
    assert result.returncode == 0, result.stderr
    assert "1 optional sources are not set up (`goodoc sources check` says" in result.stderr
    assert json.loads(goodoc("load", "--json").stdout)["left_out"] == ["extra"]
    assert "extra.yml:5: not set up, so left out: set EXTRA" in goodoc("sources", "check").stdout
    # there to be built on, and nobody's worry
    tables = {table["source"]: table for table in json.loads(goodoc("status", "--json").stdout)}
    assert tables["extra"]["live"] == 0 and not tables["extra"]["is_stale"]

    assert goodoc("load", EXTRA=str(drops)).returncode == 0
    assert goodoc.query("select count(*) from raw_extra.rows") == [(1,)]


def test_a_company_is_served_while_a_command_runs(goodoc: Goodoc, small_company: Path) -> None:
    out = ["simulate", "--out", str(small_company), "--serve", "--"]
    served = goodoc(*out, "env").stdout.splitlines()
    variables = dict(line.split("=", 1) for line in served if "=" in line)
    assert variables["GOODOC_API_STAND_IN"].startswith("http://127.0.0.1:")
    assert variables["APP_EVENTS_DIR"] == str(small_company / "app_events")

    # Outbrain signs in, pages and lists campaigns; today is the company's
    command = "from goodoc.cli import main; main()"
    result = goodoc(*out, sys.executable, "-c", command, "load", "ads_outbrain")
    assert result.returncode == 0, result.stderr
    ((newest,),) = goodoc.query("select max(window_to) from raw_ads_outbrain.campaigns")
    assert str(newest) == variables["GOODOC_TODAY"]
    assert goodoc(*out, "false").returncode == 1


def test_what_is_served_must_be_there(goodoc: Goodoc, tmp_path: Path) -> None:
    result = goodoc("simulate", "--out", str(tmp_path / "none"), "--serve", "true")
    assert result.returncode == 1 and "holds no simulated company" in result.stderr
    result = goodoc("simulate", "--out", str(tmp_path / "none"), "ls")
    assert result.returncode == 1 and "there is no --serve" in result.stderr

"""What the app gets: a whole version or the one before, nobody who withdrew, and all on record."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import engines
from conftest import PROJECT, Goodoc, Lab
from engines import on_engines
from extract_load import read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
from extract_load.loader.warehouse import Warehouse
from goodoc.export import Export, ExportError, ExportReport, export, parse_rules, place_of
from goodoc.settings import BigQuery, Postgres, Settings
from goodoc.setup import prepare_target

PEOPLE = 30
MEMBERS = "intermediate.int_marketing__recommendation_members"


def tables(text: str = "varchar", whole: str = "bigint", flag: str = "boolean") -> dict[str, str]:
    """A small warehouse: 30 consenting people of Seoul, 5 of Busan, and what they like."""
    people = [(f"m{n:02}", "110000" if n < PEOPLE else "210000", n) for n in range(PEOPLE + 5)]
    rows = {
        MEMBERS: [
            f"select '{key}' as member_key, '{sido}' as sido_code, '1990-1999' as birth_year_band"
            for key, sido, _ in people
        ],
        "marketing.fct_recommendations": [
            f"select '{key}' as member_key, cast({rank} as {whole}) as recommendation_rank,"
            f" cast({rank + 10} as {whole}) as event_product_id,"
            f" cast({f'0.{rank}' if rank < 3 else 'null'} as numeric) as score,"
            f" cast({rank if rank < 3 else 'null'} as {whole}) as reason_event_product_id,"
            f" cast({'true' if rank == 3 else 'false'} as {flag}) as is_back_off,"
            " cast('2026-06-30' as date) as as_of_date, '1.0.0-x' as model_version"
            for key in [*(key for key, *_ in people), "withdrawn", "erased"]
            for rank in (1, 2, 3)
        ],
        "intermediate.int_marketing__item_interests": [
            f"select '{key}' as member_key, cast({1 + n % 2} as {whole}) as event_product_id,"
            " true as is_recent"
            for key, _, n in people
        ],
        "core.dim_regions": [
            f"select '{sido}' as sido_code, '{name}' as sido_name_ko"
            for sido, name in (("110000", "서울"), ("210000", "부산"))
        ],
        "core.dim_event_products": [
            f"select cast({n} as {whole}) as event_product_id, '{name}' as category,"
            f" {'true' if n == 3 else 'false'} as is_sensitive"
            for n, name in ((1, "피부"), (2, "치과"), (3, "탈모"))
        ],
        "marketing.fct_event_product_ranking": [
            f"select cast({n} as {whole}) as event_product_id, cast('2026-06-30' as date)"
            f" as as_of_date, '110000' as sido_code, '피부' as category, {n < 3} as is_on_sale,"
            f" cast({n} as {whole}) as overall_rank, cast({n} as {whole}) as regional_rank,"
            " 7 as margin_krw"
            for n in (1, 2, 3)
        ],
        "prescription.fct_prescription_quality_monthly": [
            f"select cast('2026-0{month}-01' as date) as month_start_date, '{audience}'"
            f" as audience, 'sido' as area_level, '{sido}' as area_code, '{sido}' as sido_code,"
            f" cast(null as {whole}) as hospital_id, 'injection_rate' as measure,"
            f" cast({told} as numeric) as numerator, cast({told} as numeric) as denominator,"
            f" cast({told} as numeric) as measure_value,"
            f" cast({'true' if told == 'null' else 'false'} as {flag}) as is_suppressed,"
            f" cast(3 as {whole}) as hospital_count"
            for audience, told in (("inside", "7"), ("outside", "null"))
            for sido in ("110000", "210000")
            for month in (5, 6)
        ],
    }
    return {name: " union all ".join(parts) for name, parts in rows.items()}


def fill(warehouse: Warehouse) -> None:
    for name, sql in tables().items():
        warehouse.query(f"create schema if not exists {name.split('.')[0]}")
        warehouse.query(f"create table {name} as {sql}")
    # an account that came back to the members by a mistake: erased is erased
    warehouse.query(f"insert into {MEMBERS} values ('erased', '110000', '1990-1999')")
    warehouse.query(
        "insert into raw_ledger.erased_people values ('erased', timestamp '2026-01-01')"
    )


@pytest.fixture
def small(goodoc: Goodoc) -> Goodoc:
    with DuckDBWarehouse(goodoc.home / "warehouse.duckdb") as warehouse:
        fill(warehouse)
    return goodoc


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    url = engines.postgres_server()
    yield url
    engines.drop_database(url)


def send(goodoc: Goodoc, what: str, to: object, *rules: str) -> ExportReport:
    settings = Settings("duckdb", goodoc.home, goodoc.home, 0)
    return export(settings, parse_rules(what, rules), str(to))


def rows_of(folder: Path, name: str) -> list[tuple]:
    file = folder / name / "latest" / f"{name}.parquet"
    return sorted(tuple(row.values()) for row in pq.read_table(file).to_pylist())


def rows_on(url: str, sql: str) -> list[tuple]:
    from extract_load.loader.postgres_warehouse import PostgresWarehouse

    with PostgresWarehouse(url, role=None, read_only=True) as app:
        return app.query(sql)


def log(goodoc: Goodoc) -> list[dict]:
    names = ("actor", "command", "scope", "outcome")
    found = goodoc.query(
        f"select {', '.join(names)} from raw_ledger.access_log order by happened_at"
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def update(goodoc: Goodoc, sql: str) -> None:
    with duckdb.connect(str(goodoc.home / "warehouse.duckdb")) as connection:
        connection.execute(sql)


# -- what arrives --------------------------------------------------------------------------------

WANTED = sorted(
    (
        f"m{n:02}", rank, rank + 10, Decimal(f"0.{rank}00000") if rank < 3 else None,
        rank if rank < 3 else None, rank == 3, date(2026, 6, 30), "1.0.0-x",
    )
    for n in range(PEOPLE + 5)
    for rank in (1, 2, 3)
)  # fmt: skip


def test_a_folder_gets_a_version_that_says_what_it_is(small: Goodoc, app: Path) -> None:
    result = small("export", "recommendations", "--to", str(app), "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert rows_of(app, "recommendations") == WANTED
    about = json.loads((app / "recommendations" / "latest" / "manifest.json").read_text())
    assert about["rows"] == report["rows"] == len(WANTED)
    assert os.readlink(app / "recommendations" / "latest") == report["version"] == about["version"]
    assert "marketing consent" in about["consent"]


def test_a_second_version_takes_the_place_of_the_first(small: Goodoc, app: Path) -> None:
    send(small, "recommendations", app)
    first = os.readlink(app / "recommendations" / "latest")
    update(small, f"delete from {MEMBERS} where member_key = 'm07'")
    send(small, "recommendations", app)
    assert rows_of(app, "recommendations") == [row for row in WANTED if row[0] != "m07"]
    # who withdrew stands in no file that is left
    versions = {path.name for path in (app / "recommendations").iterdir() if path.is_dir()}
    assert versions == {"latest", os.readlink(app / "recommendations" / "latest")}
    assert first not in versions


def test_a_postgres_gets_the_same_rows(small: Goodoc, server: str) -> None:
    first = send(small, "recommendations", server).version
    view = "goodoc_export.recommendations"
    found = rows_on(server, f"select * from {view} order by member_key, recommendation_rank")
    assert found == WANTED
    # what the app was granted on the view it keeps
    engines.run_on_postgres(server, "create role reader_of_app", f"grant select on {view} to"
                            " reader_of_app")  # fmt: skip
    update(small, f"delete from {MEMBERS} where member_key = 'm07'")
    second = send(small, "recommendations", server)
    assert (len(WANTED) - 3,) == rows_on(server, f"select count(*) from {view}")[0]
    assert rows_on(server, f"select has_table_privilege('reader_of_app', '{view}', 'select')") == [
        (True,)
    ]
    ((version, rows),) = rows_on(server, "select version, row_count from goodoc_export.versions")
    assert (version, rows) == (second.version, len(WANTED) - 3)
    assert tables_on(server) == {f"recommendations_{version}"} != {f"recommendations_{first}"}


def tables_on(server: str) -> set[str]:
    return {
        name
        for (name,) in rows_on(
            server,
            "select cast(tablename as text) from pg_tables where schemaname = 'goodoc_export'"
            " and tablename <> 'versions'",
        )
    }


def test_the_ranking_holds_places_and_no_margins(small: Goodoc, app: Path) -> None:
    send(small, "ranking", app)
    assert rows_of(app, "ranking") == [
        (n, date(2026, 6, 30), "110000", "피부", n, n) for n in (1, 2)
    ]
    assert "no people in it" in log(small)[-1]["scope"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([], range(35)),
        (["region=서울"], range(30)),
        (["region=110000", "born=1990-1999"], range(30)),
        (["region=서울", "region=부산", "category=피부", "category=치과"], range(35)),
    ],
)
def test_an_audience_is_who_fits_the_rule(
    small: Goodoc, app: Path, where: list[str], expected: range
) -> None:
    send(small, "audience", app, *where)
    assert rows_of(app, "audience") == [(f"m{n:02}",) for n in expected]


def test_a_small_audience_is_refused_and_not_counted_out(small: Goodoc, app: Path) -> None:
    for rule in ("region=부산", "category=치과"):
        with pytest.raises(ExportError, match=r"^fewer than 20 people fit: nothing exported$"):
            send(small, "audience", app, rule)
    assert not (app / "audience" / "latest").exists()


def test_figures_leave_the_company_as_they_are_told_outside(small: Goodoc, app: Path) -> None:
    whole = send(small, "prescription_quality", app)
    assert whole.consent == "no people in it, no figure of fewer than 11 people"
    file = app / "prescription_quality" / "latest" / "prescription_quality.parquet"
    rows = pq.read_table(file).to_pylist()
    assert len(rows) == 4 and all(row["is_suppressed"] for row in rows)
    assert not [row for row in rows if row["numerator"] or row["denominator"]]
    # what an export is narrowed by picks rows and reckons nothing anew
    send(small, "prescription_quality", app, "region=서울", "month=2026-06")
    (row,) = pq.read_table(file).to_pylist()
    assert row in rows and row["month_start_date"] == date(2026, 6, 1)


@pytest.mark.parametrize(
    ("what", "rule", "to", "says"),
    [
        ("prescription_quality", "month=2026-01", "", "there is no such month"),
        ("prescription_quality", "born=1990-1999", "", "no rule: write region=서울 or month=2026"),
        ("members", "", "", "there is no export 'members': it must be one of recommendations"),
        ("audience", "region=평양", "", "there is no such region"),
        ("audience", "category=' or true", "", "there is no such category"),
        ("audience", "category=탈모", "", "is sensitive: no audience is made of it"),
        ("audience", "phone=1", "", "'phone=1' is no rule: write region="),
        (
            "ranking",
            "region=서울",
            "",
            "--where narrows audience or prescription_quality",
        ),
        ("ranking", "", "mysql://u:hunter2@h/db", "mysql://h/db: --to is a folder or"),
        ("ranking", "", "/proc/nowhere", "can't write to /proc/nowhere"),
        ("ranking", "", "postgresql://u:hunter2@127.0.0.1:1/app", "Connection refused$"),
    ],
)
def test_what_can_not_be_exported_is_one_line(
    small: Goodoc, app: Path, what: str, rule: str, to: str, says: str
) -> None:
    with pytest.raises(ExportError, match=says) as error:
        send(small, what, to or app, *filter(None, [rule]))
    assert "hunter2" not in str(error.value) and "\n" not in str(error.value)


def test_a_red_build_and_a_missing_mart_export_nothing(small: Goodoc, app: Path) -> None:
    (small.home / "dbt").mkdir()
    (small.home / "dbt" / "marts.json").write_text('{"fct_recommendations": "test x is red"}')
    with pytest.raises(ExportError, match="the last build failed: test x is red"):
        send(small, "recommendations", app)
    update(small, "drop table marketing.fct_event_product_ranking")
    with pytest.raises(ExportError, match="isn't there: run `goodoc build` first"):
        send(small, "ranking", app)


def test_an_export_is_on_record_with_rows_rule_and_place(small: Goodoc, server: str) -> None:
    assert small("export", "audience", "--to", server, GOODOC_ACTOR="kim").returncode == 0
    refused = small("export", "audience", "--to", "postgresql://u:hunter2@127.0.0.1:1/app")
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1
    records = [(row["actor"], row["command"], row["outcome"]) for row in log(small)[:3]]
    assert records == [
        ("kim", "goodoc export audience", outcome) for outcome in ("started", "written", "done")
    ]
    scope = log(small)[1]["scope"]
    assert scope.startswith("audience: 35 rows, adults with marketing consent at export, none")
    assert f"to {place_of(server)}" in scope
    assert "hunter2" not in refused.stderr + json.dumps(log(small))


def test_a_place_is_told_without_secrets() -> None:
    told = place_of("postgresql://app:hunter2@db.internal:5432/app?password=hunter2")
    assert told == "postgresql://db.internal:5432/app"


def test_a_postgres_in_keywords_is_no_folder(small: Goodoc) -> None:
    before = log(small)
    refused = small("export", "ranking", "--to", "host=db.internal user=app password=hunter2")
    assert refused.returncode == 1 and "name the Postgres by a URL" in refused.stderr
    assert "hunter2" not in refused.stderr and log(small) == before
    assert not list(small.home.parent.glob("host=*"))


# -- consent -------------------------------------------------------------------------------------


@pytest.fixture
def company_home(analysed: Goodoc, tmp_path: Path) -> Goodoc:
    """A copy of the company's home to do with as a test likes."""
    copy = tmp_path / "home"
    copy.mkdir()
    shutil.copy(analysed.home / "warehouse.duckdb", copy)
    goodoc = Goodoc(copy)
    goodoc.environment = analysed.environment | {"GOODOC_HOME": str(copy)}
    return goodoc


def test_who_withdrew_since_the_build_is_left_out(company_home: Goodoc, app: Path) -> None:
    goodoc = company_home
    keys = [
        key
        for (key,) in goodoc.query(
            "select distinct member_key from marketing.fct_recommendations order by 1 limit 6"
        )
    ]
    erased, withdrawn, left, gone, closed, stays = keys
    for key, change in (
        (withdrawn, "marketing_consent_at = null"),
        (left, "withdrawn_at = marketing_consent_at + interval 1 day"),
        (gone, "_deleted_at = timestamp '2026-07-01'"),
        (closed, "deleted_at = timestamp '2026-07-01'"),
    ):
        update(goodoc, f"update raw_app_db.members set {change} where id = '{key}'")
    with DuckDBWarehouse(goodoc.home / "warehouse.duckdb") as warehouse:
        sources = list(read_sources(PROJECT / "extract_load" / "sources").values())
        assert warehouse.erase([erased], sources, "run") > 0
    for what in ("recommendations", "audience"):
        send(goodoc, what, app)
        there = {row[0] for row in rows_of(app, what)}
        assert stays in there
        assert not there & {erased, withdrawn, left, gone, closed}
    built = {key for (key,) in goodoc.query("select member_key from marketing.fct_recommendations")}
    exported = {row[0] for row in rows_of(app, "recommendations")}
    assert exported == built - {erased, withdrawn, left, gone, closed}


# -- from every engine ---------------------------------------------------------------------------


def exported(settings: Settings, app: Path) -> None:
    said: list[tuple[int, int]] = []
    report = export(settings, Export("recommendations"), str(app), lambda *each: said.append(each))
    assert rows_of(app, "recommendations") == WANTED
    assert report.rows == len(WANTED) and said[-1] == (len(WANTED), len(WANTED))
    export(settings, parse_rules("audience", ["region=서울", "category=피부", "category=치과"]),
           str(app))  # fmt: skip
    assert rows_of(app, "audience") == [(f"m{n:02}",) for n in range(PEOPLE)]
    export(settings, Export("ranking"), str(app))
    assert [row[0] for row in rows_of(app, "ranking")] == [1, 2]
    with pytest.raises(ExportError, match="fewer than 20"):
        export(settings, parse_rules("audience", ["region=부산"]), str(app))


@on_engines("postgres")
def test_from_postgres_to_a_folder(lab: Lab, app: Path) -> None:
    settings = Settings("postgres", lab.folder, lab.sources, 0, Postgres(lab.place))
    from extract_load.loader.postgres_warehouse import PostgresWarehouse

    prepare_target(settings, {})
    settings.open_warehouse().close()
    with PostgresWarehouse(lab.place, role=None, read_only=True) as warehouse:
        fill(warehouse)
        for schema in ("core", "intermediate", "marketing"):
            warehouse.query(f"grant usage on schema {schema} to goodoc_transformer")
            warehouse.query(f"grant select on all tables in schema {schema} to goodoc_transformer")
    exported(settings, app)
    # the same server may be the app's
    export(settings, Export("recommendations"), lab.place)
    assert lab.query("select count(*) from goodoc_export.recommendations") == [(len(WANTED),)]


@on_engines("bigquery")
def test_from_bigquery_to_a_folder(lab: Lab, app: Path) -> None:
    place = BigQuery(engines.BIGQUERY_PROJECT, "asia-northeast3", 10**9, lab.place, None, {})
    with engines.open_warehouse(lab.engine, lab.place) as warehouse:
        for name, sql in tables("string", "int64", "bool").items():
            warehouse._create_schema(name.split(".")[0])
            warehouse.query(f"create table {name} as {sql}")
    exported(Settings("bigquery", lab.folder, lab.sources, 0, bigquery=place), app)


# -- killed --------------------------------------------------------------------------------------

# goodoc, which dies just before (or after) the nth call of a method that fits
DEADLY = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet, shutil
from goodoc import export
from goodoc.cli import main
from extract_load.loader.postgres_warehouse import PostgresWarehouse as Server
owner, name, text, when = sys.argv[1].split(",")
owner = {"parquet": pyarrow.parquet.ParquetWriter, "path": Path, "shutil": shutil,
         "server": Server, "export": export}[owner]
real = getattr(owner, name)
def deadly(*arguments, **options):
    if not any(text in str(each) for each in arguments):
        return real(*arguments, **options)
    if when == "after":
        real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, deadly)
sys.argv = ["goodoc", *sys.argv[2:]]
main()
"""


def killed(goodoc: Goodoc, point: str, to: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEADLY, point, "export", "recommendations", "--to", to],
        env=goodoc.environment, capture_output=True, text=True, cwd=goodoc.home.parent,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize(
    ("point", "is_turned"),
    [
        ("parquet,write_batch,,before", False),
        ("path,rename,z_,after", False),
        ("export,record_access,rows,before", False),
        ("path,replace,.latest,before", False),
        ("path,replace,.latest,after", True),
        ("shutil,rmtree,z_,before", True),
    ],
)
def test_a_folder_holds_the_old_version_or_the_new_whatever_is_killed(
    small: Goodoc, app: Path, point: str, is_turned: bool
) -> None:
    send(small, "recommendations", app)
    update(small, f"delete from {MEMBERS} where member_key = 'm07'")
    fewer = [row for row in WANTED if row[0] != "m07"]
    killed(small, point, str(app))
    assert rows_of(app, "recommendations") == (fewer if is_turned else WANTED)
    about = json.loads((app / "recommendations" / "latest" / "manifest.json").read_text())
    assert about["rows"] == len(rows_of(app, "recommendations"))
    # the next one ends right and clears up
    send(small, "recommendations", app)
    assert rows_of(app, "recommendations") == fewer
    left = {path.name for path in (app / "recommendations").iterdir()}
    assert left - {"writer.lock"} == {"latest", os.readlink(app / "recommendations" / "latest")}


@pytest.mark.parametrize(
    ("point", "is_turned"),
    [
        ("server,query,create table goodoc_export,after", False),
        ("export,record_access,rows,before", False),
        ("server,query,create or replace view,after", False),
        ("server,query,commit,before", False),
        ("server,query,commit,after", True),
    ],
)
def test_a_postgres_holds_the_old_version_or_the_new_whatever_is_killed(
    small: Goodoc, point: str, is_turned: bool
) -> None:
    server = engines.postgres_server()
    send(small, "recommendations", server)
    update(small, f"delete from {MEMBERS} where member_key = 'm07'")
    count = "select count(*) from goodoc_export.recommendations"
    killed(small, point, server)
    old, new = [(len(WANTED),)], [(len(WANTED) - 3,)]
    assert rows_on(server, count) == (new if is_turned else old)
    again = send(small, "recommendations", server)
    assert rows_on(server, count) == new
    assert tables_on(server) == {f"recommendations_{again.version}"}
    engines.drop_database(server)

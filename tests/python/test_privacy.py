"""What the house promises about people, held against a built company; each promise broken once."""

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
import yaml

from conftest import KEY, PROJECT, Goodoc
from extract_load import read_sources

SCHEMAS = "('staging', 'intermediate', 'core', 'marketing', 'tablet_usage', 'prescription',"
SCHEMAS += " 'booking_flow')"
# a resident number with a day that can be, whatever its check digit: that is random since 2020
RESIDENT = r"(^|[^0-9])[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])-?[1-8][0-9]{6}([^0-9]|$)"
PHONE = r"(^|[^0-9])01[016789][-. ]?[0-9]{3,4}[-. ]?[0-9]{4}([^0-9]|$)"
EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}"
# pseudonyms, keys of rows and numbers of events are digits and letters at random
HASH = "[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# public codes and numbers of orders that have thirteen digits
CODES = {"kd_code", "order_id", "pg_transaction_id"}
LEAST = {"inside": 5, "outside": 11}


def texts_like(connection: duckdb.DuckDBPyConnection, schemas: str) -> list[str]:
    """Text columns that hold what looks like a way to a person, one query a table."""
    columns: dict[str, list[str]] = {}
    for schema, table, column in connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns()"
        f" where data_type = 'VARCHAR' and schema_name in {schemas} order by all"
    ).fetchall():
        if column not in CODES:
            columns.setdefault(f"{schema}.{table}", []).append(column)
    found = []
    for table, names in columns.items():
        tests = ", ".join(
            f"coalesce(bool_or(not regexp_full_match({name}, '{HASH}')"
            f" and (regexp_matches({name}, '{RESIDENT}') or regexp_matches({name}, '{PHONE}')"
            f" or regexp_matches({name}, '{EMAIL}'))), false)"
            for name in names
        )
        (hits,) = connection.execute(f"select {tests} from {table}").fetchall()
        found += [f"{table}.{name}" for name, hit in zip(names, hits, strict=True) if hit]
    return found


def test_no_text_after_raw_looks_like_a_way_to_a_person(analysed: Goodoc) -> None:
    with duckdb.connect(str(analysed.home / "warehouse.duckdb"), read_only=True) as connection:
        assert texts_like(connection, SCHEMAS) == []


@pytest.mark.parametrize(
    ("text", "is_seen"),
    [
        ("memo 900101-1234567", True),
        ("9001011234567", True),
        ("call 010-0123-4567", True),
        ("01001234567", True),
        ("mail kim@company.example now", True),
        # a drug code can be one as well, hence CODES
        ("8806205000126", True),
        ("9013011234567", False),
        ("접수 2026-06-01", False),
        ("a" * 64, False),
    ],
)
def test_a_way_to_a_person_is_seen(text: str, is_seen: bool) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("create schema staging")
        connection.execute("create table staging.t as select ? as note, 'x' as other", [text])
        assert texts_like(connection, "('staging')") == ["staging.t.note"] * is_seen


def test_a_member_key_is_keyed_and_of_one_key_only(analysed: Goodoc) -> None:
    keys = [key for (key,) in analysed.query("select member_key from core.dim_members")]
    assert keys and all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)
    # members have small numbers, so whoever hashed them plainly would be found
    plain = {hashlib.sha256(str(n).encode()).hexdigest() for n in range(1, 50_000)}
    assert not plain & set(keys)
    assert KEY.token("7") not in plain
    for table, column in analysed.query(
        "select schema_name || '.' || table_name, column_name from duckdb_columns()"
        " where column_name = '_key_version'"
    ):
        assert len(analysed.query(f"select distinct {column} from {table}")) <= 1, table


def test_no_model_maps_people_to_pseudonyms(analysed: Goodoc) -> None:
    """No table has both what a person is at the source and the pseudonym made of it."""
    for source in read_sources(PROJECT / "extract_load" / "sources").values():
        for table in source.tables.values():
            landed = {column.name: column.privacy for column in table.landed}
            assert "drop" not in landed.values(), table.name
    readers = [
        file.name
        for file in (PROJECT / "models").rglob("*.sql")
        if re.search(r"erased_people|erased_rows", file.read_text())
    ]
    assert readers == []


def test_review_texts_and_memos_stay_behind(analysed: Goodoc) -> None:
    names = {
        name
        for (name,) in analysed.query(
            f"select distinct column_name from duckdb_columns() where schema_name in {SCHEMAS}"
        )
    }
    assert not names & {"text", "memo", "review_text", "remark", "birth_date", "addr_detail"}
    reviews = analysed.query("describe select * from marketing.fct_review_order")
    assert not [name for name, kind, *_ in reviews if kind == "VARCHAR" and "text" in name]


def test_fixtures_and_the_simulator_know_invented_people_only() -> None:
    """Numbers that nobody can have (010 with 0 or 1 behind it), addresses in example domains."""
    real = re.compile(
        r"(?<![0-9])(010|011|016|017|018|019)[-. ]?([2-9][0-9]{2,3})[-. ]?[0-9]{4}(?![0-9])"
    )
    mails = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
    found = []
    for folder in ("tests", "simulator"):
        for file in sorted((PROJECT / folder).rglob("*.py")):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                hosts = [host for host in mails.findall(line) if "example" not in host]
                # an address of a service or of a database isn't a person's
                hosts = [h for h in hosts if re.search(r"\.(com|net|kr|org)$", h)]
                hosts = [h for h in hosts if not h.endswith("gserviceaccount.com")]
                if real.search(line) or hosts:
                    found.append(f"{file.relative_to(PROJECT)}:{number}: {line.strip()[:80]}")
    assert found == []


# -- extracts ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(analysed: Goodoc, tmp_path_factory: pytest.TempPathFactory) -> Goodoc:
    """The built company in a home of its own, whose access log may grow."""
    import shutil

    home = tmp_path_factory.mktemp("desk") / "home"
    shutil.copytree(analysed.home, home, symlinks=True, ignore=shutil.ignore_patterns("landing"))
    return Goodoc(home).use(analysed.company)


def groups(file: Path) -> list[int]:
    place = "birth_year_band, sex, sggu_code, sido_code"
    counted = f"select count(distinct person_no) from '{file}' group by {place}"
    return [number for (number,) in duckdb.sql(counted).fetchall()]


@pytest.mark.parametrize("audience", LEAST)
def test_nobody_in_an_extract_stands_alone(desk: Goodoc, tmp_path: Path, audience: str) -> None:
    with duckdb.connect(str(desk.home / "warehouse.duckdb")) as connection:
        # somebody whose like there isn't, and somebody who was erased since the build
        connection.execute(
            "update core.dim_members set birth_year_band = '1900-1909' where member_key ="
            " (select min(member_key) from prescription.fct_prescriptions)"
        )
        connection.execute(
            "insert or ignore into raw_ledger.erased_people select max(member_key), now()"
            " from prescription.fct_prescriptions"
        )
    for mart in ("fct_prescriptions", "fct_adherence", "dim_members"):
        file = tmp_path / f"{mart}.parquet"
        flags = ["--outside"] * (audience == "outside")
        done = desk(
            "extract", mart, "--to", str(file), "--reason", "a study of doses", "--json", *flags
        )
        assert done.returncode == 0, done.stderr
        assert min(groups(file)) >= LEAST[audience] == json.loads(done.stdout)["smallest_group"]
        assert file.stat().st_mode & 0o077 == 0
        columns = {name for name, *_ in duckdb.sql(f"describe select * from '{file}'").fetchall()}
        assert not [name for name in columns if name.endswith(("_key", "_token"))]
        assert not columns & {"prescription_id", "reception_id", "issue_no", "birth_year"}
        assert b"1900-1909" not in file.read_bytes()
    (erased,) = desk.query("select max(token) from raw_ledger.erased_people")
    people = "select count(distinct member_key) from prescription.fct_prescriptions"
    people += f" where member_key is not null and member_key <> '{erased[0]}'"
    (there,) = duckdb.sql(
        f"select count(distinct person_no) from '{tmp_path / 'fct_prescriptions.parquet'}'"
    ).fetchall()
    # merged accounts are one person
    assert there[0] <= desk.query(people)[0][0]


def test_people_of_two_extracts_can_not_be_joined(desk: Goodoc, tmp_path: Path) -> None:
    files = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for file in files:
        assert (
            desk(
                "extract", "dim_members", "--to", str(file), "--reason", "a study of regions"
            ).returncode
            == 0
        )
    same = "select count(*) filter (a.birth_year_band is not distinct from b.birth_year_band"
    same += " and a.sex is not distinct from b.sex and a.joined_date = b.joined_date), count(*)"
    joined = f"{same} from '{files[0]}' as a join '{files[1]}' as b using (person_no)"
    ((alike, people),) = duckdb.sql(joined).fetchall()
    assert people > 500 and alike < people / 20


def test_who_read_what_and_why_is_on_record(desk: Goodoc, tmp_path: Path) -> None:
    for arguments, says in (
        (["dim_drugs", "--reason", "a study of prices"], "isn't restricted: read the published"),
        (["fct_prescriptions", "--reason", "ok"], "say --reason in a few words"),
        (["fct_nothing", "--reason", "a study of nothing"], "there is no mart 'fct_nothing'"),
        (["fct_unmapped_values", "--reason", "a study of codes"], "tells of no people"),
    ):
        refused = desk("extract", *arguments, "--to", str(tmp_path / "no.parquet"))
        assert refused.returncode == 1 and says in refused.stderr, refused.stderr
    assert list(tmp_path.iterdir()) == []
    done = desk(
        "extract", "fct_dur_alerts", "--to", str(tmp_path / "a.parquet"),
        "--reason", "병용금기 점검 2026-06", GOODOC_ACTOR="choi",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ((scope,),) = desk.query(
        "select scope from raw_ledger.access_log where actor = 'choi' and outcome = 'written'"
        " and command = 'goodoc extract fct_dur_alerts'"
    )
    assert scope.startswith("병용금기 점검 2026-06: ") and "groups of 5 people or more" in scope
    assert desk.query(
        "select count(*) from raw_ledger.access_log where outcome = 'failed'"
        " and command = 'goodoc extract fct_prescriptions' and scope = 'ok'"
    ) == [(1,)]


# -- the catalogue -------------------------------------------------------------------------------


class Cells(HTMLParser):
    """The texts of a page's table rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.is_cell = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        self.is_cell = tag == "td"
        if self.is_cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.is_cell = False

    def handle_data(self, data: str) -> None:
        if self.is_cell:
            self.rows[-1][-1] += data


def test_each_column_stands_in_the_catalogue_once_with_its_class(desk: Goodoc) -> None:
    done = desk("privacy", "--json")
    assert done.returncode == 0, done.stderr
    page = Path(json.loads(done.stdout)["file"]).read_text()
    cells = Cells()
    cells.feed(page)
    told = [(row[0], row[1], row[2], row[3].partition("(")[2].rstrip(")")) for row in cells.rows
            if len(row) in (6, 7)]  # fmt: skip
    declared = [
        (source.source, table.name, column.name, column.privacy)
        for source in read_sources(PROJECT / "extract_load" / "sources").values()
        for table in source.tables.values()
        for column in table.columns
    ]
    for file in (PROJECT / "models" / "marts").glob("*/*.yml"):
        for model in yaml.safe_load(file.read_text()).get("models", []):
            declared += [
                (
                    file.parent.name,
                    model["name"],
                    column["name"],
                    column["config"]["meta"]["privacy"],
                )
                for column in model["columns"]
            ]
    assert len(declared) > 1500
    for column in declared:
        assert told.count(column) == 1, column
    by_column = {tuple(row[:3]): row for row in cells.rows if len(row) == 7}
    restricted = by_column["prescription", "fct_prescriptions", "main_kcd_code"]
    assert restricted[5] == "restricted_reader" and "published_restricted" in restricted[4]
    assert by_column["core", "dim_dates", "calendar_date"][5] == "bi_reader"
    # who has the page has nobody's key
    keys = desk.query("select member_key from core.dim_members limit 200")
    assert not [key for (key,) in keys if key in page]

"""Real price lists of HIRA: what the product makes of them, counted again in another way."""

import json
import os
from pathlib import Path

import duckdb
import pytest

from conftest import PROJECT, Goodoc

FOLDER = Path(
    os.environ.get("HIRA_DRUG_PRICE_DIR") or PROJECT.parent / "shared" / "data" / "hira_drug_price"
)
# Real lists are nobody's to commit; invented ones, with the same dirt, are loaded in every run of
# test_company.py and by the unit tests of the models.
pytestmark = pytest.mark.skipif(
    not list(FOLDER.glob("prices_*.csv")),
    reason="no real HIRA price lists here: set HIRA_DRUG_PRICE_DIR to a folder of prices_*.csv",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Goodoc:
    goodoc = Goodoc(tmp_path_factory.mktemp("hira") / "home")
    goodoc.environment["HIRA_DRUG_PRICE_DIR"] = str(FOLDER)
    result = goodoc("run", "hira", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert [(mart["schema"], mart["name"]) for mart in report["published"]] == [
        ("prescription", "dim_drugs")
    ]
    return goodoc


@pytest.fixture(scope="module")
def lists() -> duckdb.DuckDBPyConnection:
    """The files as text columns, the month from the name; nothing of the product in between."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"""
            create table lists as
            select regexp_extract(filename, '(\\d{{4}}-\\d{{2}})\\.csv', 1) as month,
                "제품코드" as code,
                "상한금액" as price, "제품명" as name, "업체명" as company, "표준코드" as kd,
                "주성분코드" as ingredient, "투여" as route
            from read_csv('{FOLDER}/prices_*.csv', all_varchar = true, header = true,
                filename = true, union_by_name = true)
            """
        )
        yield connection


def one(rows: list[tuple]) -> object:
    ((value,),) = rows
    return value


def test_every_line_is_in_raw(run: Goodoc, lists: duckdb.DuckDBPyConnection) -> None:
    assert (
        run.query(
            "select price_month, count(*), count(kd_code)"
            " from raw_hira.drug_prices group by 1 order by 1"
        )
        == lists.execute(
            "select month, count(*), count(kd) from lists group by 1 order by 1"
        ).fetchall()
    )
    assert run.query("select count(*) from raw_ledger.quarantine") == [(0,)]


def test_products_and_versions(run: Goodoc, lists: duckdb.DuckDBPyConnection) -> None:
    products = one(lists.execute("select count(distinct code) from lists").fetchall())
    assert (
        one(run.query("select count(distinct drug_code) from prescription.dim_drugs")) == products
    )
    # a version starts where a product is new, was missing in the list before, or differs from it
    months = [
        row[0] for row in lists.execute("select distinct month from lists order by 1").fetchall()
    ]
    versions, before = 0, {}
    for month in months:
        now = {
            code: rest
            for code, *rest in lists.execute(
                "select code, price, name, company from lists where month = ?", [month]
            ).fetchall()
        }
        versions += sum(before.get(code) != rest for code, rest in now.items())
        before = now
    assert one(run.query("select count(*) from prescription.dim_drugs")) == versions
    current = one(
        lists.execute(
            "select count(*) from lists where month = (select max(month) from lists)"
        ).fetchall()
    )
    assert one(run.query("select count(*) from prescription.dim_drugs where is_current")) == current


def test_unpriced_rows_and_blank_standard_codes(
    run: Goodoc, lists: duckdb.DuckDBPyConnection
) -> None:
    newest = "month = (select max(month) from lists)"
    unpriced, blank = lists.execute(
        "select count(*) filter (where price = '산정불가'),"
        " count(*) filter (where coalesce(kd, '') = '')"
        f" from lists where {newest}"
    ).fetchall()[0]
    assert unpriced > 0 and blank > 0
    assert run.query(
        "select count(*) filter (where price_status = 'unpriced'),"
        " count(*) filter (where kd_code is null),"
        " count(*) filter (where (price_krw is null) <> (price_status = 'unpriced'))"
        " from prescription.dim_drugs where is_current"
    ) == [(unpriced, blank, 0)]


def test_the_route_letter_is_the_stated_route(
    run: Goodoc, lists: duckdb.DuckDBPyConnection
) -> None:
    stated = dict(
        lists.execute(
            "select substr(ingredient, 7, 1), string_agg(distinct route) from lists group by 1"
        ).fetchall()
    )
    assert stated
    found = run.query(
        "select distinct route_code, route_name_ko from prescription.dim_drugs order by 1"
    )
    assert dict(found) == stated


def test_versions_of_a_product_follow_each_other(run: Goodoc) -> None:
    assert run.query(
        "select count(*) from prescription.dim_drugs as a join prescription.dim_drugs as b"
        " on a.drug_code = b.drug_code and a.valid_from < b.valid_from"
        " where a.valid_to is null or a.valid_to > b.valid_from"
    ) == [(0,)]

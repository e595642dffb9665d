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


VERSIONS = "select * from prescription.dim_drugs order by drug_code, valid_from"


@pytest.fixture
def cut(tmp_path: Path) -> dict[str, str]:
    """Every sixtieth product of each list, by month."""
    lists = {}
    for file in sorted(FOLDER.glob("prices_*.csv")):
        header, *lines = file.read_text(encoding="utf-8-sig").splitlines()
        some = [line for line in lines if int(line.split(",")[1] or 1) // 10 % 60 == 0]
        lists[file.stem[-7:]] = "\n".join([header, *some]) + "\n"
    assert len(lists) > 3 and all(text.count("\n") > 100 for text in lists.values())
    return lists


def test_lists_give_the_same_versions_in_whatever_order_they_come(
    cut: dict[str, str], tmp_path: Path
) -> None:
    def versions(name: str, steps: list[dict[str, str]]) -> list[tuple]:
        goodoc = Goodoc(tmp_path / name / "home")
        folder = tmp_path / name / "lists"
        folder.mkdir(parents=True)
        goodoc.environment["HIRA_DRUG_PRICE_DIR"] = str(folder)
        for step in steps:
            for file, text in step.items():
                (folder / f"prices_{file}.csv").write_text(text)
            result = goodoc("load", "hira")
            assert result.returncode == 0, result.stderr
        assert goodoc("run", "hira").returncode == 0
        return [row[:-2] for row in goodoc.query(VERSIONS.replace("*", "* exclude (is_current)"))]

    months = sorted(cut)
    at_once = versions("at_once", [cut])
    assert len(at_once) > len({row[0] for row in at_once}) > 100
    backwards = versions("backwards", [{month: cut[month]} for month in reversed(months)])
    assert backwards == at_once
    # a month that came wrong is restated, one is missing until the end, one is sent again
    first, second, third, *rest = months
    wrong = cut[first].replace(",1,", ",2,").splitlines(keepends=True)
    odd = versions(
        "odd",
        [
            {
                first: "".join(wrong[:-5]),
                third: cut[third],
                **{month: cut[month] for month in rest},
            },
            {first: cut[first], third: cut[third]},
            {second: cut[second]},
        ],
    )
    assert odd == at_once


DUR = Path(os.environ.get("MFDS_DUR_DIR") or PROJECT.parent / "shared" / "facts" / "codes")


def test_real_lists_of_the_review_find_real_products(tmp_path: Path) -> None:
    if not (DUR / "dur_concomitant_pairs.csv").is_file():
        pytest.skip("no real DUR lists here: set MFDS_DUR_DIR to a folder of dur_*.csv")
    goodoc = Goodoc(tmp_path / "home")
    goodoc.environment |= {"HIRA_DRUG_PRICE_DIR": str(FOLDER), "MFDS_DUR_DIR": str(DUR)}
    result = goodoc("run", "hira", "mfds_dur")
    assert result.returncode == 0, result.stderr
    rules = dict(
        goodoc.query("select dur_category, count(*) from staging.stg_mfds_dur__rules group by 1")
    )
    for file, category in (
        ("concomitant_pairs", "concomitant"), ("age_limits", "age"), ("pregnancy", "pregnancy"),
        ("lactation", "lactation"), ("elderly", "elderly"), ("max_days", "max_days"),
        ("max_daily_dose", "max_dose"), ("efficacy_groups", "efficacy_duplication"),
    ):  # fmt: skip
        lines = duckdb.sql(f"select count(*) from read_csv('{DUR}/dur_{file}.csv')").fetchall()
        assert [(rules[category],)] == lines, file
    # no pair is kept twice, whichever way round it stands
    assert goodoc.query(
        "select count(*) - count(distinct least(ingredient_name, counterpart_name) || '|'"
        " || greatest(ingredient_name, counterpart_name)) from staging.stg_mfds_dur__rules"
        " where dur_category = 'concomitant' and not is_repeat"
    ) == [(0,)]
    ((read, told),) = goodoc.query(
        "select count(max_daily_dose_mg), count(*) from staging.stg_mfds_dur__rules"
        " where dur_category = 'max_dose'"
    )
    assert read > told / 2
    found = dict(
        goodoc.query(
            "select ingredient_name, count(*) from intermediate.int_prescription__dur_ingredients"
            " group by 1"
        )
    )
    # salts, compounds and a plain name
    assert {"zolpidem", "chlorpromazine", "amlodipine"} & found.keys() >= {"zolpidem"}
    assert len(found) > 500, len(found)

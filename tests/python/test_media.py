"""Every medium's source, loaded for real from the stand-in at its strictest, against the truth."""

import csv
import json
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest

from conftest import PROJECT, Lab
from engines import on_engines
from extract_load import read_sources
from simulator.media import apis
from simulator.media.catalogue import MEDIA, accounts
from simulator.media.facts import RATES_SINCE
from simulator.media.figures import TYPES, Books
from simulator.media.server import StandIn, serving

REST = [medium.key for medium in MEDIA.values() if medium.lane == "rest"]
START, DAY = date(2026, 6, 1), timedelta(days=1)
SINCE = START - 20 * DAY  # so that a window of thirty days ends after the first day asked for
DAYS = 16  # the empty day of every medium is among them
LEVELS = {
    "ads": "ad", "ad_groups": "ad_group", "campaigns": "campaign", "keywords": "keyword",
    "search_terms": "search_term", "account_totals": "account",
    "conversions": "campaign",
}  # fmt: skip
ALL_7D = tuple(f"{kind}_click_7d" for kind in TYPES)
# Fields that don't name one kind of conversion, or whose window the seed doesn't know.
KEYS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apple", "view_installs"): ("purchase_view_1d",),
    ("apple", "total_installs"): ("install_click", "purchase_view_1d"),
    ("braze", "conversions_by_send_time"): ("lead_click_7d",),
    ("braze", "revenue"): ("purchase_value_click_7d",),
    ("naver_gfa", "conv_count"): ALL_7D,
    ("naver_gfa", "conv_sales"): ("purchase_value_click_7d",),
    ("naver_sa", "ccnt"): ALL_7D,
    ("naver_sa", "conv_amt"): ("purchase_value_click_7d",),
    ("naver_sa", "conversion_count"): ALL_7D,
    ("naver_sa", "sales_by_conversion"): ("purchase_value_click_7d",),
}
SECRET = re.compile("SECRET|TOKEN|KEY|PASSWORD")
Sums = dict[tuple[date, str | None], Decimal]


class Company:
    """A company of which only the media matter: a truth.json, and a stand-in that reads it."""

    def __init__(self, out: Path, monkeypatch: pytest.MonkeyPatch):
        self.out = out
        self.monkeypatch = monkeypatch
        self.days = DAYS
        out.mkdir()
        self.tell()

    @property
    def today(self) -> date:
        return START + self.days * DAY

    def tell(self) -> None:
        last = self.today - DAY
        facts = {"seed": 7, "scale": 0.02, "start": str(START), "last_day": str(last)}
        (self.out / "truth.json").write_text(json.dumps(facts))
        self.monkeypatch.setenv("GOODOC_TODAY", str(self.today))

    def one_day_on(self) -> None:
        self.days += 1
        self.tell()


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    return Company(tmp_path / "company", monkeypatch)


@pytest.fixture
def stand_in(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serving(company.out, strict=True) as stand_in:
        monkeypatch.setenv("GOODOC_API_STAND_IN", stand_in.url)
        yield stand_in


def declare(lab: Lab, medium: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's own declaration, with the variables that the simulator's company has."""
    source = "fx_ecos" if medium == "fx_ecos" else f"ads_{medium}"
    shutil.copy(PROJECT / "extract_load" / "sources" / f"{source}.yml", lab.sources)
    monkeypatch.setenv("ADS_SINCE", str(SINCE))
    for name, value in apis.modules()[medium].VARIABLES.items():
        monkeypatch.setenv(f"{source.upper()}_{name}", value)
    if medium in MEDIA:
        held = ",".join(account.account_id for account in accounts(medium))
        monkeypatch.setenv(f"ADS_{medium.upper()}_ACCOUNTS", held)


def load(lab: Lab, company: Company) -> None:
    report = lab.load(today=company.today)
    assert [f"{table.table}: {table.error}" for table in report.tables if table.error] == []


def fields(medium: str) -> dict[str, list[dict[str, str]]]:
    """What the seed says of the medium's fields, by report."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (PROJECT / "seeds" / "media_fields.csv").open() as file:
        for row in csv.DictReader(file):
            if row["medium"] == medium and row["metric"] not in ("rank", "rank_sum"):
                found[row["report"]].append(row)
    assert found, f"media_fields says nothing of {medium}"
    return found


def staged(medium: str, report: str) -> str:
    """The query of the report's staging model."""
    folder = PROJECT / "models" / "staging" / f"ads_{medium}"
    macros = PROJECT / "macros"
    text = "".join((macros / f"{m}.sql").read_text() for m in ("parse_date", "ad_extraction"))
    text += (folder / f"stg_ads_{medium}__{report}.sql").read_text()
    environment = jinja2.Environment()
    environment.globals |= {
        "source": lambda source, table: f"{source}.{table}",
        "kst_date": lambda instant: f"cast({instant} + interval 9 hour as date)",
    }
    return environment.from_string(text).render()


def newest(lab: Lab, medium: str, report: str) -> list[dict[str, Any]]:
    """The rows of the newest extraction that asked for their day."""
    day = "reported_date" if MEDIA[medium].day_basis == "utc_shifted" else "stat_date"
    query = f"""
        with told as ({staged(medium, report)}), extractions as (
            select extracted_on, min(window_from) as first from told group by extracted_on
        )
        select told.* from told
        where stat_date is not null and not exists (
            select 1 from extractions as later
            where later.extracted_on > told.extracted_on and later.first <= told.{day}
        )
    """
    with duckdb.connect(str(lab.warehouse)) as connection:
        result = connection.execute(query)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def keys(medium: str, field: dict[str, str]) -> tuple[str, ...]:
    """The simulator's names of what a field means."""
    metric, kind = field["metric"], field["conversion_type"]
    if metric not in ("conversions", "conversion_value"):
        return (metric,)
    if (medium, field["field"]) in KEYS:
        return KEYS[medium, field["field"]]
    if metric == "conversion_value":
        kind = "purchase_value"
    elif kind == "install":
        return ("install_click",)
    elif field["date_basis"] == "conversion" and MEDIA[medium].primary != "installs":
        return (f"{kind}_by_conversion_date",)
    window = field["attribution_window"].replace("not_stated", "28d")
    if field["click_or_view"] == "any" and field["attribution_window"] != "not_stated":
        return (f"{kind}_click_{window}", f"{kind}_view_{window}")
    return (f"{kind}_{field['click_or_view'].replace('any', 'click')}_{window}",)


def told_of(rows: list[dict[str, Any]], entity: str, factors: dict[str, str]) -> Sums:
    """The sum of figures, each times its factor, by day and entity; nothing is zero."""
    sums: Sums = defaultdict(Decimal)
    for row in rows:
        for name, factor in factors.items():
            sums[row["stat_date"], row[entity]] += Decimal(row[name] or 0) * Decimal(factor)
    return {key: value for key, value in sums.items() if value}


def truth_of(books: Books, medium: str, report: str) -> list[dict[str, Any]]:
    if MEDIA[medium].primary != "installs":
        return books.figures(medium, LEVELS[report], START, books.today)
    return [
        row
        | {"spend": row["cost"], "install_click": row["installs"]}
        | {"purchase_value_click_28d": row["revenue"], "lead_click_28d": row["leads"]}
        for row in books.installs(medium, START, books.today)
    ]


def differences(lab: Lab, medium: str, books: Books) -> list[str]:
    """Fields whose sums by day and campaign aren't those of the truth.

    Two fields may be parts of one figure (of what was shown and what was sent, say); kinds of
    conversions overlap.
    """
    found = []
    for report, those in fields(medium).items():
        rows, right = newest(lab, medium, report), truth_of(books, medium, report)
        ids = ("campaign_id", "campaign_name", "ad_id")
        entity = next((n for n in ids if rows and rows[0].get(n)), "account_id")
        same: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
        for field in those:
            alone = field["field"] if field["metric"].startswith("conversion") else ""
            same[alone, *keys(medium, field)][field["field"]] = field["factor"]
        for (_, *names), factors in same.items():
            told = told_of(rows, entity, factors)
            truth = told_of(right, entity, dict.fromkeys(names, "1"))
            wrong = [k for k in sorted({*told, *truth}) if told.get(k) != truth.get(k)]
            if wrong:
                day, which = wrong[0]
                found.append(
                    f"{report}.{'+'.join(factors)}: {len(wrong)} of {len(truth)}, as on {day} "
                    f"{which}: {told.get(wrong[0])}, not {truth.get(wrong[0])}"
                )
    return found


@on_engines("duckdb")
@pytest.mark.parametrize("medium", REST)
def test_a_medium_at_its_strictest_tells_the_truth_today_and_tomorrow(
    lab: Lab, company: Company, stand_in: StandIn, medium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab, medium, monkeypatch)
    load(lab, company)
    assert differences(lab, medium, stand_in.books) == []
    hosts = {asked.host for asked in stand_in.asked}
    busy = {host for kind, host in stand_in._strict.seen if kind == "busy"}
    assert hosts == busy  # each was too busy at first, and was asked again
    empty = START + (4 + MEDIA[medium].number % 11) * DAY
    company.one_day_on()
    load(lab, company)
    books = stand_in.books
    assert differences(lab, medium, books) == []
    refetch = MEDIA[medium].refetch * DAY
    for report in fields(medium):
        rows = newest(lab, medium, report)
        if MEDIA[medium].day_basis != "utc_shifted":
            assert empty not in {row["stat_date"] for row in rows}
        ((newly, first),) = lab.query(
            "select extracted_on, min(window_from) from"
            f" raw_ads_{medium}.{report} group by 1 order by 1 desc limit 1"
        )
        assert (newly, first) == (company.today, company.today - refetch)


@on_engines("duckdb")
@pytest.mark.parametrize("medium", [*REST, "fx_ecos"])
def test_a_wrong_secret_is_one_clear_line_and_nothing_lands(
    lab: Lab, company: Company, stand_in: StandIn, medium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab, medium, monkeypatch)
    source = "fx_ecos" if medium == "fx_ecos" else f"ads_{medium}"
    *_, secret = (name for name in apis.modules()[medium].VARIABLES if SECRET.search(name))
    wrong = "wrong-secret-of-ours"
    monkeypatch.setenv(f"{source.upper()}_{secret}", wrong)
    report = lab.load(today=company.today)
    for table in report.tables:
        assert table.error and "\n" not in table.error and wrong not in table.error
        assert table.counts.loaded == 0


@on_engines("duckdb")
def test_exchange_rates_are_those_of_the_business_days(
    lab: Lab, company: Company, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab, "fx_ecos", monkeypatch)
    for _ in range(2):
        load(lab, company)
        books = stand_in.books
        assert lab.query("select count(*) from raw_fx_ecos.rates where _deleted_at is null") == [
            (len(books.rates(RATES_SINCE, books.today)),)
        ]
        company.one_day_on()


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_page_on_media_says_what_the_seeds_say() -> None:
    page = (PROJECT / "docs" / "media.md").read_text(encoding="utf-8")
    told = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 11 and cells[1].startswith("`"):
            told[cells[1].strip("`")] = cells
    ends = {row["medium"]: row["ends_on"] for row in _seed("media_api_versions")}
    media = {row["medium"]: row for row in _seed("media") if row["medium"] != "organic"}
    assert set(told) == set(media) == set(MEDIA)
    for key, medium in media.items():
        _, _, lane, _, money, basis, vat, reread, api, confidence, _ = told[key]
        assert (lane, money, basis, vat, confidence) == (
            medium["lane"], medium["currency"], medium["day_basis"], medium["vat_basis"],
            medium["confidence"],
        ), key  # fmt: skip
        kept = f", kept {medium['retention_days']}" if medium["retention_days"] else ""
        assert reread == f"{medium['refetch_days']} d{kept}", key
        assert not ends.get(key) or f"ends {ends[key]}" in api, key


def test_windows_are_re_read_as_the_seed_says() -> None:
    declared = read_sources(PROJECT / "extract_load" / "sources")
    for medium in _seed("media"):
        if medium["lane"] == "rest":
            windows = [
                table.endpoint.window
                for table in declared[f"ads_{medium['medium']}"].tables.values()
                if table.endpoint and table.endpoint.window
            ]
            assert windows, medium["medium"]
            assert {str(window.restates) for window in windows} == {medium["refetch_days"]}

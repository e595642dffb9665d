"""Metrics say the same wherever they are asked: MetricFlow, the model of values, plain SQL."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from conftest import PROJECT, Goodoc
from engines import postgres_server

# metrics, group by (MetricFlow's names), the same in plain SQL
QUESTIONS = {
    "sums by day": (
        "bookings,cancelled_bookings", "metric_time__day",
        "select created_date, count(*), count(*) filter (where is_cancelled)"
        " from booking_flow.fct_bookings group by 1",
    ),
    "rates by week": (
        "no_show_rate_of_all_bookings,average_lead_days", "metric_time__week",
        "select date_trunc('week', created_date), avg(is_no_show::int),"
        " sum(lead_days) * 1.0 / count(lead_days) from booking_flow.fct_bookings group by 1",
    ),
    "rates by a dimension": (
        "reception_completion_rate,average_wait_seconds", "reception__channel",
        "select channel, avg(is_completed::int), avg(wait_seconds)"
        " from booking_flow.fct_receptions group by 1",
    ),
    "two facts by day": (
        "tablet_abandonment_rate,device_uptime_rate", "metric_time__day",
        "select coalesce(d, e), r, u from"
        " (select session_date as d, avg(is_abandoned::int) as r"
        " from tablet_usage.fct_tablet_sessions where not is_test group by 1) as s full join"
        " (select activity_date as e, sum(uptime_minutes) * 1.0"
        " / nullif(sum(opening_minutes), 0) as u"
        " from tablet_usage.fct_device_daily group by 1) as t on d = e",
    ),
    "ads by the kind of medium": (
        "ad_spend_krw,ad_click_rate,ad_cost_per_mille_krw", "medium__category",
        "select category, sum(spend_supply_krw), sum(clicks) * 1.0 / sum(impressions),"
        " sum(spend_supply_krw) * 1000 / sum(impressions) from marketing.fct_ad_delivery_daily"
        " join marketing.dim_media using (medium) group by 1",
    ),
    "what ads brought": (
        "cost_per_application_krw,return_on_spend", "metric_time__month,medium",
        "select date_trunc('month', stat_date), medium,"
        " sum(spend_supply_krw) * 1.0 / nullif(sum(applications), 0),"
        " sum(payment_krw) / nullif(sum(spend_supply_krw), 0)"
        " from marketing.fct_campaign_performance_daily group by 1, 2",
    ),
    "prescriptions": (
        "dispensing_rate,lines_per_prescription,substitution_rate", "metric_time__week",
        "select w, p.d, p.l, i.s from (select date_trunc('week', issued_date) as w,"
        " avg(is_dispensed::int) as d, avg(item_count) as l"
        " from prescription.fct_prescriptions group by 1) as p join"
        " (select date_trunc('week', issued_date) as w, avg(is_substituted::int) as s"
        " from prescription.fct_prescription_items group by 1) as i using (w)",
    ),
}  # fmt: skip
# in a process whose Python can't leave the machine, and says where it wanted to go
WATCHED = """
import socket, sys
def refuse(*arguments, **more):
    print("LEFT", arguments[:2], file=sys.stderr)
    raise OSError("no network in this test")
socket.getaddrinfo = refuse
socket.socket.connect = refuse
"""


def metricflow(goodoc: Goodoc, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m goodoc.metrics`, watched."""
    (folder / "sitecustomize.py").write_text(WATCHED)
    path = os.pathsep.join([str(folder), str(PROJECT)])
    return subprocess.run(
        [sys.executable, "-m", "goodoc.metrics", *arguments],
        env=goodoc.environment | {"PYTHONPATH": path}, capture_output=True, text=True,
        cwd=goodoc.home.parent,
    )  # fmt: skip


def asked(goodoc: Goodoc, folder: Path, metrics: str, by: str) -> list[tuple]:
    answer = folder / "answer.csv"
    # as seen from where the command is given
    file = os.path.relpath(answer, goodoc.home.parent)
    done = metricflow(
        goodoc, folder, "query", "--metrics", metrics, "--group-by", by, "--csv", file
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LEFT" not in done.stderr, done.stderr
    rows = list(csv.reader(answer.open()))
    return sorted(tuple(map(comparable, row)) for row in rows[1:])


def comparable(value: Any) -> str:
    """A day, a name or a number to nine digits, as text."""
    text = "" if value is None else str(value)
    try:
        return f"{float(text):.9g}"
    except ValueError:
        return re.sub(r"[ T]00:00:00.*", "", text)


class OnPostgres(Goodoc):
    def query(self, query: str, database: str = "") -> list[tuple[Any, ...]]:
        url = self.environment["GOODOC_PG_URL"]
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


@pytest.fixture(scope="module")
def on_postgres(small_company: Path, tmp_path_factory: pytest.TempPathFactory) -> Goodoc:
    goodoc = OnPostgres(tmp_path_factory.mktemp("postgres") / "home").use(small_company)
    goodoc.environment |= {"GOODOC_TARGET": "postgres", "GOODOC_PG_URL": postgres_server()}
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    for step in ("setup", "load", "build"):
        done = goodoc(step)
        assert done.returncode == 0, done.stdout + done.stderr
    return goodoc


@pytest.mark.parametrize("question", QUESTIONS)
def test_metricflow_agrees_with_plain_sql(analysed: Goodoc, tmp_path: Path, question: str) -> None:
    metrics, by, sql = QUESTIONS[question]
    expected = sorted(tuple(map(comparable, row)) for row in analysed.query(sql))
    assert len(expected) > 1
    assert asked(analysed, tmp_path, metrics, by) == expected


@pytest.mark.parametrize(
    "question", ["rates by week", "ads by the kind of medium", "what ads brought"]
)
def test_metricflow_agrees_on_postgres(on_postgres: Goodoc, tmp_path: Path, question: str) -> None:
    metrics, by, sql = QUESTIONS[question]
    expected = sorted(tuple(map(comparable, row)) for row in on_postgres.query(sql))
    assert len(expected) > 1
    assert asked(on_postgres, tmp_path, metrics, by) == expected


def test_metricflow_finds_nothing_wrong_and_asks_nobody(analysed: Goodoc, tmp_path: Path) -> None:
    done = metricflow(analysed, tmp_path, "list", "metrics", "--show-all-dimensions")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no_show_rate_of_all_bookings" in done.stdout and "LEFT" not in done.stderr


def test_a_process_that_leaves_the_machine_is_seen(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCHED)
    leaving = "import urllib.request as r; r.urlopen('http://metrics.example')"
    done = subprocess.run(
        [sys.executable, "-c", leaving], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert "LEFT" in done.stderr


def test_a_home_that_was_never_built_says_so(goodoc: Goodoc, tmp_path: Path) -> None:
    goodoc.home.mkdir()
    done = metricflow(goodoc, tmp_path, "query", "--metrics", "bookings")
    manifest = goodoc.home / "dbt" / "semantic_manifest.json"
    assert done.returncode == 1
    assert done.stderr == f"goodoc: {manifest}: run `goodoc build` first\n"


def test_updates_are_neither_looked_for_nor_unpickled() -> None:
    lock = (PROJECT / "requirements.lock").read_text()
    assert "dbt-metricflow==" in lock and "update-checker" not in lock


# -- the declarations, and the model that is made of them ----------------------------------------


@pytest.fixture(scope="module")
def manifest(analysed: Goodoc) -> dict[str, Any]:
    return json.loads((analysed.home / "dbt" / "manifest.json").read_text())


VALUES = "intermediate.int_core__metric_values"


def test_each_metric_is_declared_in_full(manifest: dict[str, Any]) -> None:
    metrics = manifest["metrics"].values()
    assert len(metrics) > 100
    for metric in metrics:
        meta = metric["config"]["meta"]
        assert metric["label"] and metric["description"].endswith("."), metric["name"]
        assert re.search("[가-힣]", meta["label_ko"]), metric["name"]
        assert meta["good"] in ("up", "down", "none"), metric["name"]
        assert meta["unit"] in (
            "count", "thousands", "krw", "days", "minutes", "seconds", "share", "ratio",
        ), metric["name"]  # fmt: skip
        assert meta["owner"] in ("marketing", "booking", "reception", "prescription")
    assert sum("segments" in metric["config"]["meta"] for metric in metrics) >= 50


def test_a_metric_is_counted_by_the_day_that_its_fact_is_cut_by(manifest: dict[str, Any]) -> None:
    for semantic_model in manifest["semantic_models"].values():
        if semantic_model["measures"]:
            (fact,) = semantic_model["depends_on"]["nodes"]
            cut = manifest["nodes"][fact]["config"]["meta"]["replace_days"]
            assert semantic_model["defaults"]["agg_time_dimension"] == cut["column"]


def test_the_models_of_values_read_just_the_facts_of_metrics(manifest: dict[str, Any]) -> None:
    facts, changes = set(), set()
    for semantic_model in manifest["semantic_models"].values():
        if semantic_model["measures"]:
            node = manifest["nodes"][semantic_model["depends_on"]["nodes"][0]]
            facts.add(node["name"])
            changes.add(node["config"]["meta"]["replace_days"]["changes"])
    read = {
        name: {
            each.split(".")[-1]
            for each in manifest["nodes"][f"model.goodoc.{name}"]["depends_on"]["nodes"]
        }
        for name in ("int_core__metric_values", "int_core__metric_changes")
    }
    own = {"int_core__metric_changes", "int_core__metric_known_shares"}
    assert read["int_core__metric_values"] - own == facts
    assert read["int_core__metric_changes"] == changes


def test_each_metric_has_its_values(analysed: Goodoc, manifest: dict[str, Any]) -> None:
    there = {name for (name,) in analysed.query(f"select distinct metric from {VALUES}")}
    assert there == {metric["name"] for metric in manifest["metrics"].values()}


@pytest.mark.parametrize(
    ("metric", "segment_type", "sql"),
    [
        ("bookings", "total", "select created_date, 'total', count(*)"
         " from booking_flow.fct_bookings group by 1, 2"),
        ("bookings", "channel", "select created_date, channel, count(*)"
         " from booking_flow.fct_bookings group by 1, 2"),
        ("no_show_rate_of_all_bookings", "channel",
         "select created_date, channel, avg(is_no_show::int)"
         " from booking_flow.fct_bookings group by 1, 2"),
        ("payment_krw", "medium", "select created_date, coalesce(medium, '(none)'),"
         " sum(value_krw) from marketing.fct_conversions group by 1, 2"),
        ("ad_cost_per_mille_krw", "medium", "select stat_date, medium,"
         " sum(spend_supply_krw) * 1000 / sum(impressions)"
         " from marketing.fct_ad_delivery_daily group by 1, 2"),
        ("average_tablet_seconds", "total", "select session_date, 'total',"
         " avg(duration_seconds) from tablet_usage.fct_tablet_sessions where not is_test"
         " group by 1, 2"),
    ],
)  # fmt: skip
def test_values_are_those_of_plain_sql(
    analysed: Goodoc, metric: str, segment_type: str, sql: str
) -> None:
    told = analysed.query(
        f"select metric_date, segment, value from {VALUES} where metric = '{metric}'"
        f" and segment_type = '{segment_type}' and age_days = 0"
    )
    expected = {row[:2]: row[2] for row in analysed.query(sql)}
    assert len(told) == len(expected) > 20
    for day, segment, value in told:
        plain = expected[day, segment]
        assert (value is None) == (plain is None)
        assert value is None or abs(float(value) - float(plain)) <= 0.000001 * max(1, plain)


def test_a_restating_figure_at_an_age_is_what_was_known_then(analysed: Goodoc) -> None:
    # by the plainest of media: one account, one report, nothing beyond its ads
    told = analysed.query(
        f"select metric_date, segment, age_days, value from {VALUES}"
        " where metric = 'ad_clicks' and segment_type = 'medium' and age_days > 0"
    )
    known = dict.fromkeys([])
    for day, medium, age, value in analysed.query(
        "select stat_date, medium, age_days, sum(value) from marketing.fct_ad_restatements"
        " where metric = 'clicks' and report = 'ads' group by all order by age_days"
    ):
        known.setdefault((day, medium), {})[age] = value
    newest = {row[:2]: row[2] for row in analysed.query(
        "select stat_date, medium, sum(clicks) from marketing.fct_ad_delivery_daily group by 1, 2"
    )}  # fmt: skip
    compared = 0
    for day, medium, age, value in told:
        ages = known[day, medium]
        if newest[day, medium] == ages[max(ages)]:
            assert value == ages[max(each for each in ages if each <= age)], (day, medium, age)
            compared += value != newest[day, medium]
    assert compared > 20


def test_metrics_are_one_file_a_semantic_model() -> None:
    for file in (PROJECT / "models" / "metrics").glob("*.yml"):
        (declared,) = yaml.safe_load(file.read_text())["semantic_models"]
        assert declared["name"] == file.stem

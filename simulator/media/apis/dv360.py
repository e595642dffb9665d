"""Display & Video 360: a query is made, run and waited for; its CSV lies on another host."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from simulator.media import google_sign_in
from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

_API, _FILES = "doubleclickbidmanager.googleapis.com", "storage.googleapis.com"
HOSTS = [_API, _FILES, google_sign_in.HOST]
VARIABLES = google_sign_in.variables("dv360")
_PATH = re.compile(r"/v2/queries(?:/(?P<query>\d+)(?P<run>:run)?(?:/reports/(?P<report>\d+))?)?")
_Row = dict[str, Any]
_COLUMNS: dict[str, tuple[str, Callable[[_Row], Any]]] = {
    "FILTER_DATE": ("Date", lambda row: f"{row['stat_date']:%Y/%m/%d}"),
    "FILTER_ADVERTISER_CURRENCY": ("Advertiser Currency", lambda row: row["currency"]),
    "FILTER_MEDIA_PLAN": ("Campaign ID", lambda row: row["campaign_id"]),
    "FILTER_MEDIA_PLAN_NAME": ("Campaign", lambda row: row["campaign_name"]),
    "FILTER_LINE_ITEM": ("Line Item ID", lambda row: row["ad_group_id"]),
    "FILTER_LINE_ITEM_NAME": ("Line Item", lambda row: row["ad_group_name"]),
    "FILTER_CREATIVE_ID": ("Creative ID", lambda row: row["ad_id"]),
    "FILTER_CREATIVE": ("Creative", lambda row: row["ad_name"]),
    "METRIC_IMPRESSIONS": ("Impressions", lambda row: row["impressions"]),
    "METRIC_CLICKS": ("Clicks", lambda row: row["clicks"]),
    "METRIC_REVENUE_ADVERTISER": ("Revenue (Adv Currency)", lambda row: row["spend"]),
    "METRIC_LAST_CLICKS": ("Post-Click Conversions", lambda row: row["lead_click_28d"]),
    "METRIC_LAST_IMPRESSIONS": ("Post-View Conversions", lambda row: row["lead_view_28d"]),
    "METRIC_TOTAL_CONVERSIONS": (
        "Total Conversions",
        lambda row: row["lead_click_28d"] + row["lead_view_28d"],
    ),
}


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a request."""
    if asked.host == google_sign_in.HOST:
        return google_sign_in.token("dv360", asked)
    if asked.host == _FILES:
        return _file(asked, books)
    if refusal := google_sign_in.refused("dv360", asked, books):
        return refusal
    path = _PATH.fullmatch(asked.path)
    if path and asked.method == "POST" and not path["query"]:
        return _made(asked.json, books)
    query = path and path["query"]
    if not query or f"dv360 {query}" not in books.jobs:
        return google_sign_in.error(404, "NOT_FOUND", "The query was not found.")
    if asked.method == "POST" and path["run"]:
        return Answer(_report(query, "QUEUED"))
    if asked.method == "GET" and path["report"] == f"{query}1":
        state = "RUNNING" if books.pending(f"dv360 {query}") else "DONE"
        return Answer(_report(query, state))
    return google_sign_in.error(404, "NOT_FOUND", "The report was not found.")


def _made(query: _Row, books: Books) -> Answer:
    known = {account.account_id for account in books.accounts("dv360")}
    params = query["params"]
    filters = {each["type"]: each["value"] for each in params["filters"]}
    if filters.get("FILTER_ADVERTISER") not in known:
        return google_sign_in.error(403, "PERMISSION_DENIED", "No access to the advertiser.")
    if unknown := {*params["groupBys"], *params["metrics"]} - set(_COLUMNS):
        return google_sign_in.error(400, "INVALID_ARGUMENT", f"Invalid value {min(unknown)}")
    if query["metadata"]["dataRange"]["range"] != "CUSTOM_DATES":
        return google_sign_in.error(400, "INVALID_ARGUMENT", "The range is not supported.")
    number = str(1_000_000 + len(books.jobs))
    books.jobs[f"dv360 {number}"] = query
    return Answer({"queryId": number, **query})


def _report(query: str, state: str) -> _Row:
    metadata: _Row = {"status": {"state": state, "format": "CSV"}}
    if state == "DONE":
        link = f"https://{_FILES}/sim-dv360/{query}.csv?GoogleAccessId=sim&Signature=sim-{query}"
        metadata["googleCloudStoragePath"] = link
    return {"key": {"queryId": query, "reportId": f"{query}1"}, "metadata": metadata}


def _file(asked: Asked, books: Books) -> Answer:
    path = re.fullmatch(r"/sim-dv360/(\d+)\.csv", asked.path)
    signed = path and asked.query.get("Signature") == f"sim-{path[1]}"
    if not path or not signed or "authorization" in asked.headers:
        return Answer("AccessDenied", 403)
    query = books.jobs[f"dv360 {path[1]}"]
    return Answer(_table(query, books), headers={"Content-Type": "text/csv"})


def _table(query: _Row, books: Books) -> str:
    """Rows, a line of sums where there are rows, then what was asked."""
    params, days = query["params"], query["metadata"]["dataRange"]
    first, last = (
        date(*(days[name][part] for part in ("year", "month", "day")))
        for name in ("customStartDate", "customEndDate")
    )
    account = params["filters"][0]["value"]
    rows = books.figures("dv360", "ad", first, last, account)
    groups, metrics = params["groupBys"], params["metrics"]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([_COLUMNS[name][0] for name in (*groups, *metrics)])
    for row in rows:
        out.writerow([_COLUMNS[name][1](row) for name in (*groups, *metrics)])
    if rows:
        sums = [sum(_COLUMNS[name][1](row) for row in rows) for name in metrics]
        out.writerow([*[""] * len(groups), *sums])
    else:
        out.writerow(["No data returned by the reporting service."])
    out.writerow([])
    out.writerow(["Report Time:", f"{books.today:%Y/%m/%d} 03:00 GMT"])
    out.writerow(["Date Range:", f"{first:%Y/%m/%d} to {last:%Y/%m/%d}"])
    out.writerow(["Group By:", *groups])
    out.writerow(["Filter by Advertiser ID:", account])
    return text.getvalue()

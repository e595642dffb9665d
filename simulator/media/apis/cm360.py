"""Campaign Manager 360: a report is defined, run and waited for; its CSV has a preamble."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from simulator.media import google_sign_in
from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

_API = "dfareporting.googleapis.com"
HOSTS = [_API, google_sign_in.HOST]
VARIABLES = google_sign_in.variables("cm360") | {"PROFILE_ID": "7700123"}
_BASE = "/dfareporting/v5"
_REPORTS = f"{_BASE}/userprofiles/{VARIABLES['PROFILE_ID']}/reports"
_FILE = re.compile(rf"{_BASE}/reports/(\d+)/files/(\d+)")
_Row = dict[str, Any]
_COLUMNS: dict[str, tuple[str, Callable[[_Row], Any]]] = {
    "date": ("Date", lambda row: row["stat_date"]),
    "campaignId": ("Campaign ID", lambda row: row["campaign_id"]),
    "campaign": ("Campaign", lambda row: row["campaign_name"]),
    "placementId": ("Placement ID", lambda row: row["ad_group_id"]),
    "placement": ("Placement", lambda row: row["ad_group_name"]),
    "adId": ("Ad ID", lambda row: row["ad_id"]),
    "ad": ("Ad", lambda row: row["ad_name"]),
    "impressions": ("Impressions", lambda row: row["impressions"]),
    "clicks": ("Clicks", lambda row: row["clicks"]),
    "mediaCost": ("Media Cost", lambda row: row["spend"]),
    "totalConversionsClickThrough": (
        "Click-through Conversions",
        lambda row: row["lead_click_28d"],
    ),
    "totalConversionsViewThrough": ("View-through Conversions", lambda row: row["lead_view_28d"]),
    "totalConversions": (
        "Total Conversions",
        lambda row: row["lead_click_28d"] + row["lead_view_28d"],
    ),
}


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a request."""
    if asked.host == google_sign_in.HOST:
        return google_sign_in.token("cm360", asked)
    if refusal := google_sign_in.refused("cm360", asked, books):
        return refusal
    if asked.method == "POST" and asked.path == _REPORTS:
        return _defined(asked.json, books)
    run = re.fullmatch(rf"{_REPORTS}/(\d+)/run", asked.path)
    if asked.method == "POST" and run and f"cm360 {run[1]}" in books.jobs:
        return Answer(_file(run[1], f"{run[1]}01", "QUEUED"))
    file = _FILE.fullmatch(asked.path)
    if asked.method != "GET" or not file or file[2] != f"{file[1]}01":
        return google_sign_in.error(404, "NOT_FOUND", "The resource was not found.")
    if asked.query.get("alt") == "media":
        report = books.jobs[f"cm360 {file[1]}"]
        return Answer(_table(report, books), headers={"Content-Type": "text/csv"})
    state = "PROCESSING" if books.pending(f"cm360 {file[1]}") else "REPORT_AVAILABLE"
    return Answer(_file(file[1], file[2], state))


def _defined(report: _Row, books: Books) -> Answer:
    known = {account.account_id for account in books.accounts("cm360")}
    criteria = report["criteria"]
    names = {each["name"] for each in criteria["dimensions"]} | set(criteria["metricNames"])
    if criteria["dimensionFilters"][0]["id"] not in known:
        return google_sign_in.error(403, "PERMISSION_DENIED", "No access to the advertiser.")
    if report["type"] != "STANDARD" or names - set(_COLUMNS):
        return google_sign_in.error(400, "INVALID_ARGUMENT", "The criteria are not supported.")
    number = str(500_000 + len(books.jobs))
    books.jobs[f"cm360 {number}"] = report
    return Answer({"kind": "dfareporting#report", "id": number, **report})


def _file(report: str, number: str, state: str) -> _Row:
    told = {"kind": "dfareporting#file", "id": number, "reportId": report, "status": state}
    if state == "REPORT_AVAILABLE":
        link = f"https://{_API}{_BASE}/reports/{report}/files/{number}?alt=media"
        told["urls"] = {"apiUrl": link}  # type: ignore[assignment]
    return told


def _table(report: _Row, books: Books) -> str:
    """What was asked, then the rows, then their sums."""
    criteria = report["criteria"]
    first, last = (
        date.fromisoformat(criteria["dateRange"][name]) for name in ("startDate", "endDate")
    )
    account = criteria["dimensionFilters"][0]["id"]
    groups, metrics = [each["name"] for each in criteria["dimensions"]], criteria["metricNames"]
    rows = books.figures("cm360", "ad", first, last, account)
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([report["name"]])
    out.writerow(["Date/Time Generated", f"{books.today} 3:00 AM"])
    out.writerow(["Report Time Zone", "Asia/Seoul"])
    out.writerow(["Date Range", f"{first} - {last}"])
    out.writerow([])
    out.writerow(["Report Fields"])
    out.writerow([_COLUMNS[name][0] for name in (*groups, *metrics)])
    for row in rows:
        out.writerow([_COLUMNS[name][1](row) for name in (*groups, *metrics)])
    if rows:
        sums = [sum(_COLUMNS[name][1](row) for row in rows) for name in metrics]
        out.writerow(["Grand Total:", *["---"] * (len(groups) - 1), *sums])
    else:
        out.writerow(["No data returned by the reporting service."])
    return text.getvalue()

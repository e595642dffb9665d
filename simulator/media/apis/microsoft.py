"""Microsoft Advertising: a refresh token that changes, reports on request, CSV in a zip archive."""

import csv
import io
import re
import zipfile
from datetime import date, timedelta
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

_LOGIN, _API = "login.microsoftonline.com", "reporting.api.bingads.microsoft.com"
_BLOBS = "bingadsappsstorageprod.blob.core.windows.net"
HOSTS = [_API, _LOGIN, _BLOBS]
VARIABLES = {
    "CLIENT_ID": "sim-microsoft-client",
    "CLIENT_SECRET": "sim-microsoft-client-secret",
    "REFRESH_TOKEN": "sim-microsoft-refresh-token",
    "DEVELOPER_TOKEN": "SIMMICROSOFTDEV",
    "CUSTOMER_ID": "160000042",
}
_TOKEN = "sim-microsoft-access-token"
_COMMON = {
    "TimePeriod": "stat_date",
    "AccountId": "account_id",
    "CampaignId": "campaign_id",
    "CampaignName": "campaign_name",
    "AdGroupId": "ad_group_id",
    "AdGroupName": "ad_group_name",
    "CurrencyCode": "currency",
    "Impressions": "impressions",
    "Clicks": "clicks",
    "Spend": "spend",
    "Conversions": "lead_click_28d",
    "Revenue": "purchase_value_click_28d",
}
_REPORTS = {
    "AdPerformanceReportRequest": (
        "ad",
        _COMMON
        | {"AdId": "ad_id", "AdTitle": "ad_name", "FinalUrl": "landing_url"}
        | {"ViewThroughConversions": "lead_view_1d"},
    ),
    "KeywordPerformanceReportRequest": (
        "keyword",
        _COMMON | {"KeywordId": "keyword_id", "Keyword": "keyword", "BidMatchType": "match_type"},
    ),
}


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens, reports and their archives."""
    if asked.host == _LOGIN:
        return _token(asked)
    if asked.host == _BLOBS:
        job = books.jobs.get(("microsoft", asked.path.rpartition("/")[2].removesuffix(".zip")))
        if job is None or "authorization" in asked.headers:
            return Answer("ResourceNotFound", 404)
        return Answer(_archive(job, books), headers={"Content-Type": "application/octet-stream"})
    headers, account = asked.headers, asked.headers.get("customeraccountid")
    if headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("microsoft token"):
        return _error(109, "AuthenticationTokenExpired", 401)
    if headers.get("developertoken") != VARIABLES["DEVELOPER_TOKEN"]:
        return _error(105, "InvalidCredentials", 401)
    accounts = {a.account_id for a in books.accounts("microsoft")}
    if headers.get("customerid") != VARIABLES["CUSTOMER_ID"] or account not in accounts:
        return _error(106, "UserIsNotAuthorized", 403)
    if asked.method != "POST" or headers.get("content-type") != "application/json":
        return _error(0, "InvalidRequest", 400)
    if asked.path == "/Reporting/v13/GenerateReport/Submit":
        return _submitted(asked.json["ReportRequest"], account, books)
    if asked.path == "/Reporting/v13/GenerateReport/Poll":
        return _polled(asked.json["ReportRequestId"], books)
    return _error(0, "NotFound", 404)


def _token(asked: Asked) -> Answer:
    form = asked.form
    refresh = VARIABLES["REFRESH_TOKEN"]
    if (
        asked.method != "POST"
        or asked.path != "/common/oauth2/v2.0/token"
        or form.get("grant_type") != "refresh_token"
        or form.get("client_id") != VARIABLES["CLIENT_ID"]
        or form.get("client_secret") != VARIABLES["CLIENT_SECRET"]
        or form.get("refresh_token") not in (refresh, f"{refresh}-renewed")
        or "https://ads.microsoft.com/msads.manage" not in form.get("scope", "").split()
    ):
        return Answer({"error": "invalid_grant", "error_description": "AADSTS70000"}, 400)
    return Answer(
        {"token_type": "Bearer", "expires_in": 3600, "access_token": _TOKEN}
        | {"refresh_token": f"{refresh}-renewed"}
    )


def _submitted(wanted: dict[str, Any], account: str, books: Books) -> Answer:
    """A report, unless the documentation forbids what is asked for."""
    level, columns = _REPORTS.get(wanted.get("Type", ""), ("", {}))
    time, scope = wanted.get("Time", {}), wanted.get("Scope", {})
    days = [time.get("CustomDateRangeStart"), time.get("CustomDateRangeEnd")]
    if not level or not set(wanted.get("Columns", [])) <= set(columns):
        return _error(2034, "InvalidColumns", 400)
    # days are numbers, of the time zone that is named; UTC's otherwise
    if not all(isinstance(n, int) for day in days for n in (day or {"": None}).values()):
        return _error(2011, "InvalidCustomDateRange", 400)
    first, last = (date(day["Year"], day["Month"], day["Day"]) for day in days)
    is_right = wanted.get("Aggregation") == "Daily" and wanted.get("Format") == "Csv"
    if not is_right or first > last or time.get("ReportTimeZone") != "Seoul":
        return _error(2011, "InvalidCustomDateRange", 400)
    if scope.get("AccountIds") != [account] or "TimePeriod" not in wanted["Columns"]:
        return _error(2027, "InvalidAccountIds", 400)
    number = str(30_000_000 + len(books.jobs))
    chosen = {name: columns[name] for name in wanted["Columns"]}
    books.jobs["microsoft", number] = (level, chosen, account, first, last, wanted["ReportName"])
    return Answer({"ReportRequestId": number})


def _polled(number: str, books: Books) -> Answer:
    if (job := books.jobs.get(("microsoft", number))) is None:
        return _error(2100, "InvalidReportRequestId", 400)
    state, url = "Pending", None
    if not books.pending(f"microsoft {number}"):
        state = "Success"
        level, _, account, first, last, _ = job
        if books.figures("microsoft", level, first, last, account):  # no rows: no address
            url = f"https://{_BLOBS}/bingadsappsstorageprod/{number}.zip?sig=sim"
    return Answer({"ReportRequestStatus": {"Status": state, "ReportDownloadUrl": url}})


def _archive(job: Any, books: Books) -> bytes:
    """A zip archive of a CSV file between lines about it and a copyright."""
    level, columns, account, first, last, name = job
    rows = books.figures("microsoft", level, first, last, account)
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for line in (
        f"Report Name: {name}",
        f"Report Time: {first.month}/{first.day}/{first.year},{last.month}/{last.day}/{last.year}",
        "Time Zone: (GMT+09:00) Seoul",
        f"Last Completed Available Day: {books.today - timedelta(days=1)} 23:59:59",
        "Report Aggregation: Daily",
        "Report Filter: ",
        "Potential Incomplete Data: True",
        f"Rows: {len(rows)}",
    ):
        writer.writerow([line])
    text.write("\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_told(row[key]) for key in columns.values()])
    text.write(f'\r\n"©{books.today.year} Microsoft Corporation. All rights reserved. "\r\n')
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        member = re.sub(r"\W", "_", name)
        file.writestr(zipfile.ZipInfo(f"{member}.csv"), b"\xef\xbb\xbf" + text.getvalue().encode())
    return archive.getvalue()


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _error(code: int, name: str, status: int) -> Answer:
    error = {"Code": code, "ErrorCode": name, "Message": name}
    return Answer({"TrackingId": "00000000-0000-4000-8000-000000000042", "Errors": [error]}, status)

"""Criteo, campaign statistics: client credentials, rows for a time zone and currency asked for."""

from datetime import datetime

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.criteo.com"]
VARIABLES = {"CLIENT_ID": "sim-criteo-client", "CLIENT_SECRET": "sim-criteo-client-secret"}
_TOKEN = "sim-criteo-access-token"
_MOST_ROWS = 100_000
_DIMENSIONS = {
    "Day": "stat_date",
    "CampaignId": "campaign_id",
    "Campaign": "campaign_name",
    "AdsetId": "ad_group_id",
    "Adset": "ad_group_name",
}
_METRICS = {
    "Displays": "impressions",
    "Clicks": "clicks",
    "AdvertiserCost": "spend",
    "SalesAllPc1d": "purchase_click_1d",
    "SalesAllPc7d": "purchase_click_7d",
    "SalesAllPc30d": "purchase_click_28d",
    "RevenueGeneratedAllPc30d": "purchase_value_click_28d",
}


def answer(asked: Asked, books: Books) -> Answer:
    """A token, or the rows of a report."""
    if asked.path == "/oauth2/token":
        told = {name: asked.form.get(name.lower()) for name in VARIABLES}
        if told != VARIABLES or asked.form.get("grant_type") != "client_credentials":
            return Answer({"error": "invalid_client"}, 401)
        return Answer({"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 900})
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("criteo token"):
        return _refused(401, "authorization-token-invalid")
    if (asked.method, asked.path) != ("POST", "/2026-01/statistics/report"):
        return _refused(404, "not-found")
    return _report(asked, books)


def _report(asked: Asked, books: Books) -> Answer:
    wanted = asked.json
    accounts = [account.account_id for account in books.accounts("criteo")]
    if wanted["advertiserIds"] not in accounts:  # others are skipped, without a word
        return Answer({"Total": {}, "Rows": []})
    # the defaults are other days and other money
    if (wanted.get("timezone"), wanted.get("currency")) != ("Asia/Seoul", "KRW"):
        return _refused(400, "invalid-timezone-or-currency")
    first, last = (datetime.fromisoformat(wanted[name]).date() for name in ("startDate", "endDate"))
    names, known = [*wanted["dimensions"], *wanted["metrics"]], {**_DIMENSIONS, **_METRICS}
    if {*names} - {*known} or wanted["format"] != "json":
        return _refused(400, "invalid-metric-dimension-or-format")
    rows = books.figures("criteo", "ad_group", first, last, wanted["advertiserIds"])[:_MOST_ROWS]
    told = [
        {name: str(row[known[name]]) for name in names} | {"Currency": row["currency"]}
        for row in rows
    ]
    return Answer({"Total": {}, "Rows": told})


def _refused(status: int, code: str) -> Answer:
    error = {"traceId": "sim", "type": "validation", "code": code, "instance": "/statistics"}
    return Answer({"errors": [error]}, status)

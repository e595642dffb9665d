"""LinkedIn Ads: Rest.li's own query language, up to three pivots, days as three numbers."""

import re
from datetime import date
from urllib.parse import unquote

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.linkedin.com", "www.linkedin.com"]
VARIABLES = {
    "CLIENT_ID": "86sim0linkedin",
    "CLIENT_SECRET": "sim-linkedin-client-secret",
    "REFRESH_TOKEN": "sim-linkedin-refresh-token",
}
_TOKEN = "sim-linkedin-access-token"
_PIVOTS = {
    "CAMPAIGN_GROUP": ("sponsoredCampaignGroup", "campaign_id"),
    "CAMPAIGN": ("sponsoredCampaign", "ad_group_id"),
    "CREATIVE": ("sponsoredCreative", "ad_id"),
}
_FIGURES = {
    "impressions": "impressions",
    "clicks": "clicks",
    "externalWebsitePostClickConversions": "lead_click_28d",
    "externalWebsitePostViewConversions": "lead_view_1d",
}
_MONEY = {
    "costInLocalCurrency": "spend",
    "conversionValueInLocalCurrency": "purchase_value_click_28d",
}
_DAY = r"\(year:(\d{4}),month:(\d{1,2}),day:(\d{1,2})\)"


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens, lists of names and figures."""
    if asked.host == "www.linkedin.com":
        return _token(asked)
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("linkedin token"):
        return _error(401, "EXPIRED_ACCESS_TOKEN", 65602)
    if not re.fullmatch(r"20\d{4}", asked.headers.get("linkedin-version", "")):
        return _error(400, "VERSION_MISSING", 0)
    if asked.headers.get("x-restli-protocol-version") != "2.0.0":
        return _error(400, "ILLEGAL_ARGUMENT", 0)
    accounts = {a.account_id for a in books.accounts("linkedin")}
    if asked.path == "/rest/adAnalytics":
        return _figures(asked, books, accounts)
    path = re.fullmatch(r"/rest/adAccounts/(\d+)/(adCampaignGroups|adCampaigns)", asked.path)
    if not path or path[1] not in accounts or asked.query.get("q") != "search":
        return _error(404, "RESOURCE_NOT_FOUND", 0)
    if path[2] == "adCampaignGroups":
        rows = [
            {"id": int(c["campaign_id"]), "name": c["campaign_name"], "status": _state(c)}
            for c in books.entities("linkedin", "campaign", path[1])
        ]
    else:
        rows = [
            {"id": int(g["ad_group_id"]), "name": g["ad_group_name"], "status": _state(g),
             "campaignGroup": f"urn:li:sponsoredCampaignGroup:{g['campaign_id']}"}
            for g in books.entities("linkedin", "ad_group", path[1])
        ]  # fmt: skip
    size = int(asked.query.get("pageSize", 100))
    if not 1 <= size <= 1000:
        return _error(400, "ILLEGAL_ARGUMENT", 0)
    start, size = int(asked.query.get("pageToken", "p0")[1:]), books.page(size)
    more = {"nextPageToken": f"p{start + size}"} if start + size < len(rows) else {}
    return Answer({"elements": rows[start : start + size], "metadata": more})


def _token(asked: Asked) -> Answer:
    wanted = {"grant_type": "refresh_token"} | {k.lower(): v for k, v in VARIABLES.items()}
    if asked.path != "/oauth/v2/accessToken" or asked.form != wanted:
        return Answer({"error": "invalid_request", "error_description": "refused"}, 400)
    return Answer({"access_token": _TOKEN, "expires_in": 5_184_000})


def _figures(asked: Asked, books: Books, accounts: set[str]) -> Answer:
    """Rows of the statistics finder. The query's own brackets and colons stand unescaped."""
    given = dict(
        part.partition("=")[::2] for part in asked.target.partition("?")[2].split("&")
    )  # as it came: what is escaped belongs to a value
    pivots = re.fullmatch(r"List\(([A-Z_,]+)\)", given.get("pivots", ""))
    days = re.fullmatch(rf"\(start:{_DAY},end:{_DAY}\)", given.get("dateRange", ""))
    owners = re.fullmatch(r"List\((urn%3Ali%3AsponsoredAccount%3A\d+)\)", given.get("accounts", ""))
    fields = given.get("fields", "impressions,clicks").split(",")
    if given.get("q") != "statistics" or given.get("timeGranularity") != "DAILY":
        return _error(400, "ILLEGAL_ARGUMENT", 0)
    if not pivots or not days or not owners or len(pivots[1].split(",")) > 3:
        return _error(400, "PARAM_INVALID", 0)
    account = unquote(owners[1]).rpartition(":")[2]
    known = {*_FIGURES, *_MONEY, "pivotValues", "dateRange"}
    if account not in accounts or not set(fields) <= known or len(fields) > 20:
        return _error(403, "ACCESS_DENIED", 100)
    first, last = (date(*map(int, days.groups()[n : n + 3])) for n in (0, 3))
    rows = []
    for row in books.figures("linkedin", "ad", first, last, account):
        kinds = [_PIVOTS[name] for name in pivots[1].split(",")]
        day = row["stat_date"]
        parts = {"year": day.year, "month": day.month, "day": day.day}
        told = {
            "pivotValues": [f"urn:li:{kind}:{row[key]}" for kind, key in kinds],
            "dateRange": {"start": parts, "end": parts},
        }
        told |= {name: row[key] for name, key in _FIGURES.items()}
        told |= {name: str(row[key]) for name, key in _MONEY.items()}
        rows.append({name: told[name] for name in fields})
    if len(rows) > 15_000:
        return _error(400, "RESPONSE_TOO_LARGE", 0)
    return Answer({"paging": {"start": 0, "count": 10, "links": []}, "elements": rows})


def _state(row: dict) -> str:
    return row["status"].upper()


def _error(status: int, code: str, service: int) -> Answer:
    told = {"status": status, "code": code, "serviceErrorCode": service, "message": code}
    return Answer(told, status)

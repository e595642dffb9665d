"""Kakao Keyword Ad: a business token, an account in a header, reports of one campaign at a time."""

from datetime import datetime, timedelta
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.keywordad.kakao.com"]
VARIABLES = {"ACCESS_TOKEN": "sim-kakao-keyword-business-token"}
_MEDIUM = "kakao_keyword"
_BASE = "/openapi/v1/"
_DAYS = 31
_LEVELS = {
    "creatives/report": ("ad", "creativeLinkId", "ad_id"),
    "keywords/report": ("keyword", "keywordId", "keyword_id"),
}
# level, its id and what it is called; what it is asked by, by which of our names
_LISTS = {
    "campaigns": ("campaign", "campaign_id", "name", "campaign_name", None, None),
    "adGroups": ("ad_group", "ad_group_id", "name", "ad_group_name", "campaignId", "campaign_id"),
    "keywords": ("keyword", "keyword_id", "text", "keyword", "adGroupId", "ad_group_id"),
}
_KINDS = {"Participation": "lead", "Signup": "signup", "Purchase": "purchase"}


def answer(asked: Asked, books: Books) -> Answer:
    """Answers for the lists and the reports of the account in the header."""
    if asked.headers.get("authorization") != f"Bearer {VARIABLES['ACCESS_TOKEN']}":
        return _wrong(401, "this access token does not exist")
    account = asked.headers.get("adaccountid", "")
    if account not in {row.account_id for row in books.accounts(_MEDIUM)}:
        return _wrong(403, "no permission for the ad account")
    what = asked.path.removeprefix(_BASE)
    if what in _LISTS:
        return _listed(what, asked.query, account, books)
    if what in _LEVELS:
        return _report(what, asked.query, account, books)
    return _wrong(404, "not found")


def _wrong(status: int, message: str) -> Answer:
    return Answer({"code": -status, "msg": message}, status)


def _listed(what: str, query: dict[str, str], account: str, books: Books) -> Answer:
    level, own_id, name, ours, parent, own_parent = _LISTS[what]
    if parent and parent not in query:
        return _wrong(400, f"{parent} is missing")
    return Answer(
        [
            {"id": int(row[own_id]), name: row[ours]}
            | {"config": "ON" if row["status"] == "active" else "OFF"}
            for row in books.entities(_MEDIUM, level, account)
            if not parent or row[own_parent] == query[parent]
        ]
    )


def _report(what: str, query: dict[str, str], account: str, books: Books) -> Answer:
    try:
        first, last = (datetime.strptime(query[n], "%Y%m%d").date() for n in ("start", "end"))
        groups, campaign = query["metricsGroups"].split(","), query["campaignId"]
    except (KeyError, ValueError):
        return _wrong(400, "campaignId, metricsGroups, start or end is not valid")
    too_old = first < books.today - timedelta(days=730)
    if too_old or last < first or (last - first).days >= _DAYS or query.get("timeUnit") != "DAY":
        return _wrong(400, "start, end or timeUnit is not valid")
    level, name, ours = _LEVELS[what]
    data = []
    for row in books.figures(_MEDIUM, level, first, last, account):
        if row["campaign_id"] != campaign or row["stat_date"] >= books.today:
            continue
        day = f"{row['stat_date']:%Y%m%d}"
        dimensions = {"campaignId": row["campaign_id"], "adGroupId": row["ad_group_id"]}
        dimensions[name] = row[ours]
        metrics = _metrics(row, groups)
        data.append({"start": day, "end": day, "dimensions": dimensions, "metrics": metrics})
    return Answer({"data": data})


def _metrics(row: dict[str, Any], groups: list[str]) -> dict[str, Any]:
    ctr = round(100 * row["clicks"] / row["impressions"], 2) if row["impressions"] else 0
    found = {"imp": row["impressions"], "click": row["clicks"], "ctr": ctr}
    found["spending"] = row["spend"]
    if "ADDITION" in groups:
        found["rank"] = row["rank"]
    if "PIXEL_SDK_CONVERSION" in groups:
        for theirs, ours in _KINDS.items():
            for window in ("1d", "7d"):
                found[f"conv{theirs}{window}"] = row[f"{ours}_click_{window}"]
        for window in ("1d", "7d"):
            found[f"convPurchaseP{window}"] = row[f"purchase_value_click_{window}"]
    return found

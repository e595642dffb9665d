"""Google Ads, googleAds:searchStream: answers a query in GAQL with batches in one list."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from simulator.media import google_sign_in
from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["googleads.googleapis.com", google_sign_in.HOST]
VARIABLES = google_sign_in.variables("google_ads") | {
    "DEVELOPER_TOKEN": "sim-google-ads-developer-token",
    "LOGIN_CUSTOMER_ID": "4125550100",
}
_PATH = re.compile(r"/v25/customers/(\d+)/googleAds:searchStream")
_QUERY = re.compile(
    r"SELECT (?P<fields>[\w., ]+) FROM (?P<resource>\w+)"
    r" WHERE segments\.date BETWEEN '(?P<first>[\d-]+)' AND '(?P<last>[\d-]+)'"
)
_LEVELS = {
    "ad_group_ad": "ad",
    "campaign": "campaign",
    "keyword_view": "keyword",
    "search_term_view": "search_term",
}
_CHANNELS = {"pmax": "PERFORMANCE_MAX", "app": "MULTI_CHANNEL"}
_ROWS = 10_000  # of a batch
_Row = dict[str, Any]
# what a field says, as JSON says it: 64-bit integers are texts
_FIELDS: dict[str, Callable[[_Row], Any]] = {
    "segments.date": lambda row: row["stat_date"],
    "segments.search_term_match_type": lambda row: row["match_type"].upper(),
    "customer.currency_code": lambda row: row["currency"],
    "campaign.id": lambda row: row["campaign_id"],
    "campaign.name": lambda row: row["campaign_name"],
    "campaign.advertising_channel_type": lambda row: _CHANNELS.get(
        row["channel"], row["channel"].upper()
    ),
    "ad_group.id": lambda row: row["ad_group_id"],
    "ad_group.name": lambda row: row["ad_group_name"],
    "ad_group_ad.ad.id": lambda row: row["ad_id"],
    "ad_group_ad.ad.name": lambda row: row["ad_name"],
    "ad_group_ad.ad.final_urls": lambda row: [row["landing_url"]],
    "ad_group_criterion.criterion_id": lambda row: row["keyword_id"],
    "ad_group_criterion.keyword.text": lambda row: row["keyword"],
    "ad_group_criterion.keyword.match_type": lambda row: row["match_type"].upper(),
    "search_term_view.search_term": lambda row: row["search_term"],
    "metrics.impressions": lambda row: str(row["impressions"]),
    "metrics.clicks": lambda row: str(row["clicks"]),
    "metrics.cost_micros": lambda row: str(int(row["spend"] * 1_000_000)),
    "metrics.conversions": lambda row: row["lead_click_28d"],
    "metrics.conversions_value": lambda row: row["purchase_value_click_28d"],
    "metrics.conversions_by_conversion_date": lambda row: row["lead_by_conversion_date"],
}


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a request."""
    if asked.host == google_sign_in.HOST:
        return google_sign_in.token("google_ads", asked)
    if refusal := google_sign_in.refused("google_ads", asked, books):
        return refusal
    if asked.headers.get("developer-token") != VARIABLES["DEVELOPER_TOKEN"]:
        return _error(401, "UNAUTHENTICATED", "The developer token is not valid.")
    path = _PATH.fullmatch(asked.path)
    if not path or asked.method != "POST":
        return _error(404, "NOT_FOUND", "The requested URL was not found.")
    known = {account.account_id for account in books.accounts("google_ads")}
    manager = asked.headers.get("login-customer-id")
    if path[1] not in known or manager != VARIABLES["LOGIN_CUSTOMER_ID"]:
        return _error(403, "PERMISSION_DENIED", "The caller does not have permission.")
    query = _QUERY.fullmatch(asked.json.get("query", ""))
    if not query or query["resource"] not in _LEVELS:
        return _error(400, "INVALID_ARGUMENT", "Error in query: unexpected input.")
    fields = query["fields"].split(", ")
    if unknown := [name for name in fields if name not in _FIELDS]:
        return _error(400, "INVALID_ARGUMENT", f"Unrecognized field in the query: {unknown[0]}")
    rows = books.figures(
        "google_ads",
        _LEVELS[query["resource"]],
        date.fromisoformat(query["first"]),
        date.fromisoformat(query["last"]),
        path[1],
    )
    results = [_result(row, fields, query["resource"]) for row in rows]
    size = books.page(_ROWS)
    mask = ",".join(map(_camel, fields))
    return Answer(
        [
            {"results": results[at : at + size], "fieldMask": mask, "requestId": "sim"}
            for at in range(0, len(results), size)
        ]
    )


def _result(row: _Row, fields: list[str], resource: str) -> _Row:
    found: _Row = {}
    for name in (*fields, f"{resource}.resource_name"):
        *path, last = _camel(name).split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = _FIELDS[name](row) if name in _FIELDS else f"customers/{row['account_id']}"
    for part in set(found) - {"metrics", "segments"}:  # it comes along unasked
        found[part].setdefault("resourceName", f"customers/{row['account_id']}")
    return found


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def _error(code: int, status: str, message: str) -> Answer:
    refusal = google_sign_in.error(code, status, message)
    return Answer([refusal.body], code)

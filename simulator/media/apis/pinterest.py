"""Pinterest Ads: figures of a hundred ads at a time, lists by bookmark, a new refresh token."""

import re
from base64 import b64encode
from datetime import date, timedelta
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.pinterest.com"]
VARIABLES = {
    "CLIENT_ID": "1500042",
    "CLIENT_SECRET": "sim-pinterest-client-secret",
    "REFRESH_TOKEN": "sim-pinterest-refresh-token",
}
_TOKEN = "sim-pinterest-access-token"
_MICRO = 1_000_000
_COLUMNS = {
    "CAMPAIGN_ID": ("campaign_id", None),
    "CAMPAIGN_NAME": ("campaign_name", None),
    "AD_GROUP_ID": ("ad_group_id", None),
    "SPEND_IN_MICRO_DOLLAR": ("spend", _MICRO),
    "TOTAL_IMPRESSION": ("impressions", 1),
    "TOTAL_CLICKTHROUGH": ("clicks", 1),
    "TOTAL_CONVERSIONS": ("lead_click_28d", 1),
    "TOTAL_CHECKOUT": ("purchase_click_28d", 1),
    "TOTAL_CHECKOUT_VALUE_IN_MICRO_DOLLAR": ("purchase_value_click_28d", _MICRO),
}
_REACH = timedelta(days=90)


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens, the list of ads and their figures."""
    if asked.path == "/v5/oauth/token":
        return _token(asked)
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("pinterest token"):
        return _error(2, "Authentication failed.", 401)
    path = re.fullmatch(r"/v5/ad_accounts/(\w+)/ads(/analytics)?", asked.path)
    if not path or path[1] not in {a.account_id for a in books.accounts("pinterest")}:
        return _error(50, "Ad account not found.", 404)
    if path[2]:
        return _analytics(asked.query, path[1], books)
    size = int(asked.query.get("page_size", 25))
    if not 1 <= size <= 250:
        return _error(1, f"{size} is not between 1 and 250", 400)
    rows = [
        {"id": ad["ad_id"], "ad_group_id": ad["ad_group_id"], "campaign_id": ad["campaign_id"],
         "name": ad["ad_name"], "status": ad["status"].upper()}
        for ad in books.entities("pinterest", "ad", path[1])
    ]  # fmt: skip
    start, size = int(asked.query.get("bookmark", "b0")[1:]), books.page(size)
    bookmark = f"b{start + size}" if start + size < len(rows) else None
    return Answer({"items": rows[start : start + size], "bookmark": bookmark})


def _token(asked: Asked) -> Answer:
    """A token for client id and secret as HTTP basic, and a refresh token in the form."""
    pair = f"{VARIABLES['CLIENT_ID']}:{VARIABLES['CLIENT_SECRET']}".encode()
    refresh = VARIABLES["REFRESH_TOKEN"]
    if (
        asked.headers.get("authorization") != f"Basic {b64encode(pair).decode()}"
        or asked.form.get("grant_type") != "refresh_token"
        or asked.form.get("refresh_token") not in (refresh, f"{refresh}-renewed")
    ):
        return _error(283, "The refresh token is invalid.", 401)
    told = {"access_token": _TOKEN, "token_type": "bearer", "expires_in": 2_592_000}
    return Answer(told | {"response_type": "refresh_token", "refresh_token": f"{refresh}-renewed"})


def _analytics(query: dict[str, str], account_id: str, books: Books) -> Answer:
    """One object an ad and day, unless the documentation forbids what is asked for."""
    ids, columns = query.get("ad_ids", "").split(","), query.get("columns", "").split(",")
    if len(ids) > 100 or not set(columns) <= set(_COLUMNS) or query.get("granularity") != "DAY":
        return _error(1, "Invalid request: ad_ids, columns or granularity", 400)
    windows = {"click_window_days": "30", "engagement_window_days": "0", "view_window_days": "0"}
    if not windows.items() <= query.items():
        return _error(1, "not simulated: other attribution windows", 400)
    first, last = date.fromisoformat(query["start_date"]), date.fromisoformat(query["end_date"])
    if first > last or last - first > _REACH or first < books.today - _REACH:
        return _error(1, "start_date can't be more than 90 days back", 400)
    told: list[dict[str, Any]] = []
    for row in books.figures("pinterest", "ad", first, last, account_id):
        if row["ad_id"] in ids:
            figures: dict[str, Any] = {"AD_ID": row["ad_id"], "DATE": row["stat_date"]}
            for name in columns:
                key, factor = _COLUMNS[name]
                figures[name] = row[key] if factor is None else int(row[key] * factor)
            told.append(figures)
    return Answer(told)


def _error(code: int, message: str, status: int) -> Answer:
    return Answer({"code": code, "message": message}, status)

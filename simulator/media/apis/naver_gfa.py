"""Naver GFA: Naver's sign-in, pages by a token that knows its first day and lasts ten minutes."""

import base64
import json
import time
from datetime import date, timedelta
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["openapi.naver.com", "nid.naver.com"]
VARIABLES = {
    "CLIENT_ID": "sim-naver-gfa-client",
    "CLIENT_SECRET": "sim-naver-gfa-secret",
    "REFRESH_TOKEN": "sim-naver-gfa-refresh-token",
    "MANAGER_ACCOUNT": "710001",
}
_MEDIUM = "naver_gfa"
_TOKEN = "sim-naver-gfa-access-token"
_BASE = "/v1/ad-api/1.0/adAccounts/"
_DAYS, _ROWS, _LASTS = 31, 1000, 600
_TYPES = {"lead": "RESERVATION", "signup": "MEMBERSHIP", "purchase": "PURCHASE"}


def answer(asked: Asked, books: Books) -> Answer:
    """Answers for tokens, or for an account's campaigns and past figures."""
    if asked.host == "nid.naver.com":
        return _token(asked)
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}":
        return _wrong("AUTHENTICATION_FAILED", 401)
    if books.expired(f"{_MEDIUM}/token"):
        return _wrong("AUTHENTICATION_FAILED", 401)
    if asked.headers.get("accessmanageraccountno") != VARIABLES["MANAGER_ACCOUNT"]:
        return _wrong("ACCESS_DENIED", 403)
    account, _, what = asked.path.removeprefix(_BASE).partition("/")
    if account not in {row.account_id for row in books.accounts(_MEDIUM)}:
        return _wrong("ACCESS_DENIED", 403)
    match what:
        case "campaigns":
            return _campaigns(asked.query, account, books)
        case "performance/past/creatives":
            return _paged(asked.query, account, books, _delivery)
        case "performance/conversion/past/creatives":
            return _paged(asked.query, account, books, _conversions)
    return _wrong("NOT_FOUND", 404)


def _wrong(code: str, status: int = 400) -> Answer:
    return Answer({"code": code, "message": code.replace("_", " ").lower()}, status)


def _token(asked: Asked) -> Answer:
    form = asked.form
    wanted = {
        "grant_type": "refresh_token",
        "client_id": VARIABLES["CLIENT_ID"],
        "client_secret": VARIABLES["CLIENT_SECRET"],
        "refresh_token": VARIABLES["REFRESH_TOKEN"],
    }
    if asked.path != "/oauth2.0/token" or any(form.get(n) != v for n, v in wanted.items()):
        return Answer({"error": "invalid_request", "error_description": "no such grant"})
    # the seconds are text
    return Answer({"access_token": _TOKEN, "token_type": "bearer", "expires_in": "3600"})


def _campaigns(query: dict[str, str], account: str, books: Books) -> Answer:
    page, size = int(query.get("page", 0)), int(query.get("size", 10))
    if size > 100:
        return _wrong("INVALID_PARAMETER")
    size = books.page(size)
    rows = books.entities(_MEDIUM, "campaign", account)
    content = [
        {"no": int(row["campaign_id"]), "name": row["campaign_name"]}
        | {"objective": "WEB_SITE_TRAFFIC"}
        | {"status": "RUNNABLE" if row["status"] == "active" else "TERMINATED"}
        for row in rows[page * size : (page + 1) * size]
    ]
    pages = -(-len(rows) // size)
    return Answer({"content": content, "totalPages": pages, "totalElements": len(rows)})


def _paged(query: dict[str, str], account: str, books: Books, read: Any) -> Answer:
    try:
        first = date.fromisoformat(query["startDate"])
        last = date.fromisoformat(query["endDate"])
        limit = int(query.get("limit", _ROWS))
    except (KeyError, ValueError):
        return _wrong("INVALID_PARAMETER")
    oldest = books.today - timedelta(days=730)
    if not 1 <= limit <= _ROWS or query.get("timeUnit", "daily") != "daily":
        return _wrong("INVALID_PARAMETER")
    if not oldest <= first <= last < books.today or (last - first).days >= _DAYS:
        return _wrong("STATS__INVALID_DATE_RANGE")
    offset = 0
    if "next" in query:
        try:
            cursor = json.loads(base64.urlsafe_b64decode(query["next"]))
        except ValueError:
            return _wrong("STATS__INVALID_NEXT")
        if cursor["start"] != query["startDate"]:
            return _wrong("STATS__INCONSISTENT_START_DATE")
        if time.time() - cursor["at"] > _LASTS:
            return _wrong("STATS__EXPIRED_NEXT")
        offset = cursor["offset"]
    rows, limit = read(books, first, last, account), books.page(limit)
    said: dict[str, Any] = {"rows": rows[offset : offset + limit]}
    if offset + limit < len(rows):
        cursor = {"start": query["startDate"], "offset": offset + limit, "at": time.time()}
        said["next"] = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    return Answer(said)


def _keyed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "campaignNo": int(row["campaign_id"]),
        "adSetNo": int(row["ad_group_id"]),
        "creativeNo": int(row["ad_id"]),
        "targetDate": row["stat_date"],
    }


def _delivery(books: Books, first: date, last: date, account: str) -> list[dict[str, Any]]:
    """`sales` is what was spent."""
    return [
        _keyed(row)
        | {"impCount": row["impressions"], "clickCount": row["clicks"], "vplayCount": 0}
        | {"sales": row["spend"], "convSales": row["purchase_value_click_7d"]}
        | {"convCount": sum(row[f"{kind}_click_7d"] for kind in _TYPES)}
        | {"updatedAt": f"{books.today}T02:10:00+09:00"}
        for row in books.figures(_MEDIUM, "ad", first, last, account)
    ]


def _conversions(books: Books, first: date, last: date, account: str) -> list[dict[str, Any]]:
    return [
        _keyed(row)
        | {"convType": name, "convCount": row[f"{kind}_click_7d"]}
        | {"convSales": row["purchase_value_click_7d"] if kind == "purchase" else 0}
        for row in books.figures(_MEDIUM, "ad", first, last, account)
        for kind, name in _TYPES.items()
        if row[f"{kind}_click_7d"]
    ]

"""Reddit Ads: reports as pages of a POST, each with the address of the next."""

import json
import re
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["ads-api.reddit.com", "www.reddit.com"]
VARIABLES = {
    "CLIENT_ID": "sim-reddit-client",
    "CLIENT_SECRET": "sim-reddit-client-secret",
    "REFRESH_TOKEN": "sim-reddit-refresh-token",
}
_TOKEN = "sim-reddit-access-token"
_BREAKDOWNS = {"CAMPAIGN_ID", "AD_GROUP_ID", "AD_ID", "DATE"}
_FIELDS = {
    "IMPRESSIONS": ("impressions", 1),
    "CLICKS": ("clicks", 1),
    "SPEND": ("spend", 1_000_000),
    "CONVERSION_LEAD_CLICKS": ("lead_click_28d", 1),
    "CONVERSION_LEAD_VIEWS": ("lead_view_1d", 1),
    "CONVERSION_PURCHASE_CLICKS": ("purchase_click_28d", 1),
}
_LISTS = {
    "campaigns": ("campaign", {}),
    "ad_groups": ("ad_group", {"campaign_id": "campaign_id"}),
    "ads": (
        "ad",
        {"campaign_id": "campaign_id", "ad_group_id": "ad_group_id", "click_url": "landing_url"},
    ),
}


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens, lists of names and reports."""
    if not asked.headers.get("user-agent") or "python-requests" in asked.headers["user-agent"]:
        return _error("whoever asks has to say who", 429)
    if asked.host == "www.reddit.com":
        return _token(asked)
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("reddit token"):
        return _error("Unauthorized", 401)
    path = re.fullmatch(r"/api/v3/ad_accounts/(\w+)/(reports|campaigns|ad_groups|ads)", asked.path)
    if not path or path[1] not in {a.account_id for a in books.accounts("reddit")}:
        return _error("Not Found", 404)
    size = int(asked.query.get("page.size", 100))
    if not 1 <= size <= 1000:
        return _error("page.size must be between 1 and 1000", 400)
    rows: list[dict[str, Any]] | str
    if path[2] == "reports":
        rows = _report(asked, books, path[1])
    else:
        level, more = _LISTS[path[2]]
        rows = [
            {"id": row[f"{level}_id"], "name": row[f"{level}_name"]}
            | {"configured_status": row["status"].upper()}
            | {theirs: row[ours] for theirs, ours in more.items()}
            for row in books.entities("reddit", level, path[1])
        ]
    if isinstance(rows, str):
        return _error(rows, 400)
    start, taken = int(asked.query.get("page.token", "0")), books.page(size)
    following = None
    if start + taken < len(rows):
        query = f"page.size={size}&page.token={start + taken}"
        following = f"https://{asked.host}{asked.path}?{query}"
    part: Any = rows[start : start + taken]
    data = {"metrics": part, "metrics_updated_at": f"{books.today}T00:00:00Z"}
    told = data if path[2] == "reports" else part
    return Answer({"data": told, "pagination": {"previous_url": None, "next_url": following}})


def _token(asked: Asked) -> Answer:
    """A token for client id and secret as HTTP basic, and a refresh token in the form."""
    pair = f"{VARIABLES['CLIENT_ID']}:{VARIABLES['CLIENT_SECRET']}".encode()
    if (
        asked.path != "/api/v1/access_token"
        or asked.headers.get("authorization") != f"Basic {b64encode(pair).decode()}"
        or asked.form.get("grant_type") != "refresh_token"
        or asked.form.get("refresh_token") != VARIABLES["REFRESH_TOKEN"]
    ):
        return _error("Unauthorized", 401)
    told = {"access_token": _TOKEN, "token_type": "bearer", "expires_in": 86_400}
    return Answer(told | {"scope": "adsread"})


def _report(asked: Asked, books: Books, account_id: str) -> list[dict[str, Any]] | str:
    """Rows of a report, or what is wrong with what is asked for. Each page repeats the body."""
    try:
        wanted = json.loads(asked.body)["data"]
        start, end = (datetime.fromisoformat(wanted[name]) for name in ("starts_at", "ends_at"))
    except (ValueError, KeyError, TypeError):
        return "data with starts_at and ends_at is required"
    breakdowns, fields = wanted.get("breakdowns", []), wanted.get("fields", [])
    if asked.method != "POST" or set(breakdowns) != _BREAKDOWNS or not set(fields) <= set(_FIELDS):
        return "breakdowns or fields are invalid"
    if wanted.get("time_zone_id") != "GMT" or not start < end:
        return "ends_at must be after starts_at"
    if any(at.utcoffset() or at.time() != datetime.min.time() for at in (start, end)):
        return "not simulated: parts of days"
    last = end.date() - timedelta(days=1)
    rows = []
    for row in books.figures("reddit", "ad", start.date(), last, account_id):
        told = {"date": row["stat_date"]}
        told |= {name.lower(): row[name.lower()] for name in breakdowns if name != "DATE"}
        for name in fields:
            key, factor = _FIELDS[name]
            told[name.lower()] = int(row[key] * factor)
        rows.append(told)
    return rows


def _error(message: str, status: int) -> Answer:
    return Answer({"error": {"code": status, "message": message}}, status)


def busy() -> Answer:
    """Says how Reddit limits rates."""
    answer = _error("Too Many Requests", 429)
    answer.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}
    return answer

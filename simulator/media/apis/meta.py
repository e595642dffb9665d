"""Meta insights: campaigns at once, ads as a report that is made on request; pages by a link."""

import json
from base64 import urlsafe_b64encode
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["graph.facebook.com"]
VARIABLES = {"ACCESS_TOKEN": "EAASimMetaSystemUserToken"}
_VERSION = "/v25.0/"
_WINDOWS = {
    "1d_click": "click_1d",
    "7d_click": "click_7d",
    "28d_click": "click_28d",
    "1d_view": "view_1d",
}
_ACTIONS = {"lead": "lead", "complete_registration": "signup", "purchase": "purchase"}
_KEPT = timedelta(days=37 * 30)
_Row = dict[str, Any]


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a request."""
    token = asked.query.get("access_token")
    if f"Bearer {VARIABLES['ACCESS_TOKEN']}" not in (
        asked.headers.get("authorization"),
        f"Bearer {token}",
    ):
        return _error(190, "Invalid OAuth access token - Cannot parse access token")
    node, _, edge = asked.path.removeprefix(_VERSION).partition("/")
    if not asked.path.startswith(_VERSION) or edge not in ("", "insights"):
        return _error(2500, "Unknown path components")
    if node in books.jobs:
        if not edge:
            return Answer(_state(node, books))
        return _page(asked, books.jobs[node], books)
    known = {f"act_{account.account_id}" for account in books.accounts("meta")}
    if node not in known or not edge:
        return _error(100, f"Object with ID '{node}' does not exist")
    if refusal := _refused(asked, books):
        return refusal
    wanted = {**asked.query, "account_id": node.removeprefix("act_")}
    if asked.method == "POST":
        job = str(600_000_000_000_000 + len(books.jobs))
        books.jobs[job] = wanted
        return Answer({"report_run_id": job})
    return _page(asked, wanted, books)


def busy() -> Answer:
    """Too many calls: an error of status 400."""
    return _error(80000, "There have been too many calls from this ad-account.", 2446079)


def _refused(asked: Asked, books: Books) -> Answer | None:
    days = json.loads(asked.query.get("time_range", "{}"))
    if asked.query.get("level") not in ("ad", "campaign") or not days:
        return _error(100, "Invalid parameter")
    if date.fromisoformat(days["since"]) < books.today - _KEPT:
        return _error(3018, "The start date of the time range cannot be beyond 37 months")
    return None


def _state(job: str, books: Books) -> _Row:
    if books.pending(f"meta {job}"):
        return {"id": job, "async_status": "Job Running", "async_percent_completion": 40}
    return {"id": job, "async_status": "Job Completed", "async_percent_completion": 100}


def _page(asked: Asked, wanted: _Row, books: Books) -> Answer:
    days = json.loads(wanted["time_range"])
    rows = books.figures(
        "meta",
        wanted["level"],
        date.fromisoformat(days["since"]),
        date.fromisoformat(days["until"]),
        wanted["account_id"],
    )
    fields = wanted["fields"].split(",")
    windows = json.loads(wanted["action_attribution_windows"])
    after = asked.query.get("after")
    cursors = [_cursor(n) for n in range(len(rows) + 1)]
    start = cursors.index(after) if after else 0
    size = books.page(int(asked.query.get("limit", 25)))
    data = [_insight(row, fields, windows) for row in rows[start : start + size]]
    if not data:
        return Answer({"data": []})
    end = start + len(data)
    paging: _Row = {"cursors": {"before": cursors[start], "after": cursors[end]}}
    if end < len(rows):
        # the real link holds the token too
        query = {**asked.query, "access_token": VARIABLES["ACCESS_TOKEN"], "after": cursors[end]}
        paging["next"] = f"https://{HOSTS[0]}{asked.path}?{urlencode(query)}"
    return Answer({"data": data, "paging": paging})


def _cursor(number: int) -> str:
    return urlsafe_b64encode(f"after {number}".encode()).decode()


def _insight(row: _Row, fields: list[str], windows: list[str]) -> _Row:
    """A row's fields; what is nothing is left out of the lists, and empty lists altogether."""
    of = {
        "account_currency": row["currency"],
        "campaign_id": row["campaign_id"],
        "campaign_name": row["campaign_name"],
        "adset_id": row.get("ad_group_id"),
        "adset_name": row.get("ad_group_name"),
        "ad_id": row.get("ad_id"),
        "ad_name": row.get("ad_name"),
        "impressions": str(row["impressions"]),
        "clicks": str(row["clicks"]),
        "inline_link_clicks": str(row["clicks"] * 9 // 10),
        "spend": str(row["spend"]),
        "reach": str(row["reach"]),
        "actions": [
            _action(name, {w: row[f"{key}_{_WINDOWS[w]}"] for w in windows})
            for name, key in _ACTIONS.items()
        ],
        "action_values": [
            _action(
                "purchase",
                {window: row[f"purchase_value_{_WINDOWS[window]}"] for window in windows},
            )
        ],
    }
    found = {name: of[name] for name in fields}
    for name in ("actions", "action_values"):
        found[name] = [action for action in found.get(name, []) if len(action) > 2]
        if not found[name]:
            del found[name]
    return found | {"date_start": row["stat_date"], "date_stop": row["stat_date"]}


def _action(name: str, counts: dict[str, Any]) -> _Row:
    total = Decimal(counts.get("7d_click", 0)) + Decimal(counts.get("1d_view", 0))
    told = {window: _text(count) for window, count in counts.items() if count}
    return {"action_type": name, "value": _text(total), **told}


def _text(count: Any) -> str:
    return f"{Decimal(count).normalize():f}"


def _error(code: int, message: str, subcode: int | None = None) -> Answer:
    told: _Row = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code}
    if subcode:
        told["error_subcode"] = subcode
    return Answer({"error": told | {"fbtrace_id": "ASimTrace"}}, 400)

"""Liftoff Accelerate: a report is made on request and fetched as CSV; names are in a listing."""

from base64 import b64encode
from datetime import date, timedelta

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["data.liftoff.io"]
VARIABLES = {"API_KEY": "sim-liftoff-api-key", "API_SECRET": "sim-liftoff-api-secret"}

_BASIC = b64encode(":".join(VARIABLES.values()).encode()).decode()
_APP = "a1b2c3d4e5"
_HEADER = "date,app_id,campaign_id,spend,impressions,clicks,installs,cpm,cpc,ctr,cpi"


def answer(asked: Asked, books: Books) -> Answer:
    """Reports and the listing of campaigns."""
    if asked.headers.get("authorization") != f"Basic {_BASIC}":
        return _refusal(401, "authentication_error", "API key or secret is not valid")
    path = asked.path.removeprefix("/api/v1")
    if (asked.method, path) == ("GET", "/campaigns"):
        return Answer([_campaign(row) for row in books.entities("liftoff", "campaign")])
    if (asked.method, path) == ("POST", "/reports"):
        return _ordered(asked, books)
    _, _, name, *rest = [*path.split("/"), "", ""]
    report = books.jobs.get(("liftoff", name))
    if asked.method != "GET" or report is None:
        return _refusal(404, "not_found", "no such report")
    if rest[0] == "status":
        state = "running" if books.pending(f"liftoff {name}") else "completed"
        return Answer({"id": name, "state": state, "parameters": report})
    if rest[0] == "data":
        return Answer(_table(report, books), headers={"Content-Type": "text/csv"})
    return _refusal(404, "not_found", "no such resource")


def _refusal(status: int, kind: str, message: str) -> Answer:
    return Answer({"error_type": kind, "message": message, "errors": [message]}, status)


def _campaign(row: dict) -> dict:
    state = "enabled" if row["status"] == "active" else "paused"
    return {
        "id": row["campaign_id"],
        "app_id": _APP,
        "name": row["campaign_name"],
        "campaign_type": "standard",
        "state": state,
    }


def _ordered(asked: Asked, books: Books) -> Answer:
    order = asked.json
    fixed = {"group_by": ["apps", "campaigns"], "timezone": "UTC", "format": "csv"}
    if any(order.get(name) != value for name, value in fixed.items()):
        return _refusal(422, "validation_error", "group_by, timezone or format is not valid")
    try:
        first, after = (date.fromisoformat(order[end]) for end in ("start_time", "end_time"))
    except (KeyError, ValueError):
        return _refusal(422, "validation_error", "start_time and end_time are days")
    if first >= after:
        return _refusal(422, "validation_error", "end_time must be after start_time")
    number = books.jobs.get(("liftoff", "orders"), 0) + 1
    books.jobs["liftoff", "orders"] = number
    books.jobs["liftoff", f"{number:010x}"] = order
    return Answer({"id": f"{number:010x}", "state": "queued", "parameters": order}, 201)


def _table(order: dict, books: Books) -> str:
    """Days from start_time up to end_time, which is none of them."""
    first, after = (date.fromisoformat(order[end]) for end in ("start_time", "end_time"))
    lines = [_HEADER]
    for row in books.figures("liftoff", "campaign", first, after - timedelta(days=1)):
        spent, shown, clicked = row["spend"], row["impressions"], row["clicks"]
        installed = row["install_click"]
        ratios = (
            spent * 1000 / shown,
            spent / max(clicked, 1),
            clicked / shown,
            spent / max(installed, 1),
        )
        values = (row["stat_date"], _APP, row["campaign_id"], spent, shown, clicked, installed)
        lines.append(",".join(map(str, (*values, *(f"{ratio:.4f}" for ratio in ratios)))))
    return "\n".join(lines) + "\n"

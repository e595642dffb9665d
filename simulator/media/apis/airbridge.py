"""Airbridge, Actuals Report: a task that is waited for, then rows of groups by index, in pages."""

from datetime import date
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.airbridge.io"]
VARIABLES = {"API_TOKEN": "sim-airbridge-api-token"}
_GROUPS = {
    "event_date": "stat_date",
    "channel": "media_source",
    "campaign_id": "campaign_id",
    "campaign": "campaign_name",
}
_METRICS = {
    "impressions_channel": "impressions",
    "clicks_channel": "clicks",
    "cost_channel": "cost",
    "app_installs": "installs",
}
_MOST_DAYS, _MOST_ROWS = 400, 10_000


def answer(asked: Asked, books: Books) -> Answer:
    """A task's state, with a page of its rows once it is done."""
    if asked.headers.get("authorization") != f"Bearer {VARIABLES['API_TOKEN']}":
        return _refused(401, "Unauthorized")
    for account in books.accounts("airbridge"):
        path = f"/reports/api/v7/apps/{account.account_id}/actuals/query"
        if asked.path == path and asked.method == "POST":
            return _begun(asked.json, books)
        if asked.path.startswith(f"{path}/") and asked.method == "GET":
            return _told(asked.path.removeprefix(f"{path}/"), asked.query, books)
    return _refused(404, "Not Found")


def _begun(wanted: dict[str, Any], books: Books) -> Answer:
    first, last = (date.fromisoformat(wanted[name]) for name in ("from", "to"))
    unknown = {*wanted["groupBys"]} - {*_GROUPS} | {*wanted["metrics"]} - {*_METRICS}
    if unknown or last > books.today or (last - first).days >= _MOST_DAYS:
        return _refused(400, "Bad Request")
    task = f"5e286bd4-b4b1-4c04-8f6a-{len(books.jobs):012x}"
    books.jobs[task] = (wanted, first, last)
    return Answer({"task": {"status": "PENDING", "taskId": task}})


def _told(task: str, query: dict[str, str], books: Books) -> Answer:
    if task not in books.jobs:
        return _refused(404, "Not Found")
    if books.pending(f"airbridge {task}"):
        return Answer({"task": {"status": "RUNNING", "taskId": task}})
    wanted, first, last = books.jobs[task]
    rows = books.installs("airbridge", first, last)[:_MOST_ROWS]
    skip, size = int(query.get("skip", 0)), int(query.get("size", 100))
    page = [
        {
            "groupBys": [str(row[_GROUPS[name]]) for name in wanted["groupBys"]],
            "values": {name: {"value": row[_METRICS[name]]} for name in wanted["metrics"]},
        }
        for row in rows[skip : skip + size]
    ]
    return Answer(
        {
            "task": {"status": "SUCCESS", "taskId": task},
            "actuals": {"data": {"rows": page}},
            "pagination": {"hasNext": skip + size < len(rows), "totalCount": len(rows)},
        }
    )


def _refused(status: int, title: str) -> Answer:
    said = {"type": "about:blank", "title": title, "status": status, "traceId": "1-000000-0"}
    return Answer(said, status)

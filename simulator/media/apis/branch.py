"""Branch, Query API: key and secret in the body, pages by the address of the next one."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api2.branch.io"]
VARIABLES = {"SECRET": "sim-branch-secret"}
_TOUCH = "last_attributed_touch_data_tilde_"
_DIMENSIONS = {
    f"{_TOUCH}advertising_partner_name": "media_source",
    f"{_TOUCH}campaign_id": "campaign_id",
    f"{_TOUCH}campaign": "campaign_name",
}
_MOST_DAYS, _MOST_ROWS = 7, 1000
_ZONE = ZoneInfo("Asia/Seoul")


def answer(asked: Asked, books: Books) -> Answer:
    """A page of an app's installs by day; the last day that is asked for is not included."""
    if (asked.method, asked.path) != ("POST", "/v1/query/analytics"):
        return _refused(404, "Not found")
    wanted = asked.json
    keys = [account.account_id for account in books.accounts("branch")]
    if wanted.get("branch_key") not in keys:
        return _refused(403, "Invalid branch_key")
    if wanted.get("branch_secret") != VARIABLES["SECRET"]:
        return _refused(403, "Invalid branch_secret")
    first, end = (date.fromisoformat(wanted[name]) for name in ("start_date", "end_date"))
    if (end - first).days > _MOST_DAYS:
        return _refused(400, "end_date cannot be more than 7 days after start_date")
    if (wanted["data_source"], wanted["granularity"]) != ("eo_install", "day"):
        return _refused(400, "only installs by day are told here")
    size = int(asked.query.get("limit", 100))
    if size > _MOST_ROWS or {*wanted["dimensions"]} - {*_DIMENSIONS}:
        return _refused(400, "invalid limit or dimensions")
    rows = books.installs("branch", first, end - timedelta(days=1))
    after, size = int(asked.query.get("after", 0)), min(size, 30 * books.page(size))
    paging: dict[str, Any] = {"total_count": len(rows)}
    if after + size < len(rows):
        following = {"limit": asked.query["limit"], "after": after + size, "query_id": "sim-1"}
        paging["next_url"] = f"{asked.path}?{urlencode(following)}"
    page = [_result(row, wanted["dimensions"]) for row in rows[after : after + size]]
    return Answer({"results": page, "paging": paging})


def _result(row: dict[str, Any], dimensions: list[str]) -> dict[str, Any]:
    midnight = datetime.combine(row["stat_date"], time.min, _ZONE).astimezone(UTC)
    names = {name: row[_DIMENSIONS[name]] for name in dimensions}
    return {
        "timestamp": f"{midnight:%Y-%m-%dT%H:%M:%S}.000Z",
        "result": names | {"unique_count": row["installs"]},
    }


def _refused(status: int, message: str) -> Answer:
    return Answer({"error": {"code": status, "message": message}}, status)

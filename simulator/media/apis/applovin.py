"""AppLovin: the advertiser's report by UTC hour, pages by limit and offset."""

from datetime import date, timedelta

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["r.applovin.com"]
VARIABLES = {"API_KEY": "sim-applovin-report-key"}

_LONGEST = 10_000  # rows a page
# The real API tells about 78 days; here a company's whole life is told, and nothing before it.
_TOLD = timedelta(days=30)


def answer(asked: Asked, books: Books) -> Answer:
    """A page of the report."""
    query = asked.query
    if (asked.method, asked.path) != ("GET", "/report"):
        return _refusal(404, "Not found")
    if query.get("api_key") != VARIABLES["API_KEY"]:
        return _refusal(403, "Invalid API key")
    if (query.get("report_type"), query.get("format")) != ("advertiser", "json"):
        return _refusal(400, "Unknown report_type or format")
    first, last = (date.fromisoformat(query[name]) for name in ("start", "end"))
    if first < books.start - _TOLD:
        return _refusal(400, "Start date is too far in the past")
    limit, offset = int(query.get("limit", _LONGEST)), int(query.get("offset", 0))
    if first > last or not 0 < limit <= _LONGEST or offset < 0:
        return _refusal(400, "Invalid range")
    columns = query.get("columns", "").split(",")
    told = [_told(row) for row in books.hours("applovin", "campaign", first, last)]
    if told and not set(columns) <= set(told[0]):
        return _refusal(400, "Unknown columns")
    # no fewer than a day's hours, or a week would be hundreds of pages
    end = offset + min(limit, max(books.page(limit), 24))
    page = [{name: row[name] for name in columns} for row in told[offset:end]]
    return Answer({"code": 200, "results": page, "count": len(page)})


def _told(row: dict) -> dict:
    return {
        "day": f"{row['utc_hour']:%Y-%m-%d}",
        "hour": f"{row['utc_hour']:%H:%M}",
        "campaign_id_external": row["campaign_id"],
        "campaign": row["campaign_name"],
        "impressions": str(row["impressions"]),
        "clicks": str(row["clicks"]),
        "conversions": str(row["install_click"]),
        "cost": f"{row['spend']:.2f}",
    }


def _refusal(code: int, message: str) -> Answer:
    return Answer({"code": code, "message": message, "results": []}, code)

"""AppsFlyer, Master API: one answer of rows whose fields are named as on the dashboard."""

from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["hq1.appsflyer.com"]
VARIABLES = {"API_TOKEN": "sim-appsflyer-api-token-v2"}
_GROUPINGS = {
    "install_time": ("Install Time", "stat_date"),
    "pid": ("Media Source", "media_source"),
    "af_c_id": ("Campaign ID", "campaign_id"),
    "c": ("Campaign", "campaign_name"),
}
_KPIS = {
    name: (name.title(), name) for name in ("impressions", "clicks", "installs", "cost", "revenue")
}


def answer(asked: Asked, books: Books) -> Answer:
    """The rows of an app's campaigns on the days of their installs."""
    if asked.headers.get("authorization") != f"Bearer {VARIABLES['API_TOKEN']}":
        return Answer("The supplied API token is invalid", 401)
    apps = [account.account_id for account in books.accounts("appsflyer")]
    if asked.path not in [f"/api/master-agg-data/v4/app/{app}" for app in apps]:
        return Answer("Application not found", 404)
    query = asked.query
    first, last = (date.fromisoformat(query[name]) for name in ("from", "to"))
    if (last - first).days >= 31:
        return Answer("The date range can be up to 31 days", 400)
    # without them: the days of UTC, dollars, and CSV
    if (query.get("timezone"), query.get("currency")) != ("preferred", "preferred"):
        return Answer("timezone and currency must be preferred", 400)
    if query.get("format") != "json":
        return Answer("Install Time,Media Source,Campaign\n")
    known = {**_GROUPINGS, **_KPIS}
    names = [*query["groupings"].split(","), *query["kpis"].split(",")]
    for name in {*names} - {*known}:
        return Answer(f"{name} is not supported", 400)
    rows = books.installs("appsflyer", first, last)
    return Answer([{known[name][0]: row[known[name][1]] for name in names} for row in rows])

"""Adjust, Report Service: one answer of rows whose numbers are texts."""

from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["automate.adjust.com"]
VARIABLES = {"API_TOKEN": "sim-adjust-api-token"}
_DIMENSIONS = {
    "day": "stat_date",
    "partner_name": "media_source",
    "campaign_id_network": "campaign_id",
    "campaign_network": "campaign_name",
}
_METRICS = {
    "impressions": "impressions",
    "clicks": "clicks",
    "installs": "installs",
    "cost": "cost",
    "all_revenue": "revenue",
}


def answer(asked: Asked, books: Books) -> Answer:
    """The rows of an app's campaigns on Korean days."""
    if asked.headers.get("authorization") != f"Bearer {VARIABLES['API_TOKEN']}":
        return Answer({"detail": "Invalid or missing token."}, 401)
    if asked.path != "/reports-service/report":
        return Answer({"detail": "Not found."}, 404)
    query = asked.query
    apps = [account.account_id for account in books.accounts("adjust")]
    if query.get("app_token__in") not in apps:
        return Answer({"app_token__in": ["No such app."]}, 400)
    # the API has defaults for these, which are not what is wanted: days of UTC, other
    # attributions, another currency
    wanted = {"utc_offset": "+09:00", "attribution_types": "click,impression", "currency": "KRW"}
    for name, value in wanted.items():
        if query.get(name) != value:
            return Answer({name: [f"This report is told for {value} only."]}, 400)
    names = [*query["dimensions"].split(","), *query["metrics"].split(",")]
    for name in {*names} - {*_DIMENSIONS} - {*_METRICS}:
        return Answer({"detail": f"Unknown slug {name}."}, 400)
    first, last = map(date.fromisoformat, query["date_period"].split(":"))
    known = {**_DIMENSIONS, **_METRICS}
    rows = [
        {"attr_dependency": {"partner": row["media_source"]}}
        | {name: str(row[known[name]]) for name in names}
        for row in books.installs("adjust", first, last)
    ]
    return Answer({"rows": rows, "totals": {}, "warnings": [], "pagination": None})

"""Google Analytics 4, Data API: rows of values by index, pages by an offset in the body."""

from datetime import date
from typing import Any

from simulator.media import google_sign_in
from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["analyticsdata.googleapis.com", google_sign_in.HOST]
VARIABLES = google_sign_in.variables("ga4")
_MOST = 250_000
_DIMENSIONS = {
    "date": lambda row: f"{row['stat_date']:%Y%m%d}",
    "sessionSource": lambda row: row["media_source"],
    "sessionCampaignId": lambda row: row["campaign_id"],
    "sessionCampaignName": lambda row: row["campaign_name"],
}
_METRICS = {
    "advertiserAdImpressions": ("impressions", "TYPE_INTEGER"),
    "advertiserAdClicks": ("clicks", "TYPE_INTEGER"),
    "advertiserAdCost": ("cost", "TYPE_CURRENCY"),
    "keyEvents": ("leads", "TYPE_FLOAT"),
    "totalRevenue": ("revenue", "TYPE_CURRENCY"),
}


def answer(asked: Asked, books: Books) -> Answer:
    """A token, or a page of a report."""
    if asked.host == google_sign_in.HOST:
        return google_sign_in.token("ga4", asked)
    if refusal := google_sign_in.refused("ga4", asked, books):
        return refusal
    properties = [account.account_id for account in books.accounts("ga4")]
    if asked.path not in [f"/v1beta/properties/{number}:runReport" for number in properties]:
        return google_sign_in.error(
            403, "PERMISSION_DENIED", "User does not have sufficient permissions."
        )
    return _report(asked.json, books)


def _report(wanted: dict[str, Any], books: Books) -> Answer:
    dimensions = [each["name"] for each in wanted["dimensions"]]
    metrics = [each["name"] for each in wanted["metrics"]]
    for name in {*dimensions} - {*_DIMENSIONS} | {*metrics} - {*_METRICS}:
        return google_sign_in.error(400, "INVALID_ARGUMENT", f"Field {name} is not a valid field.")
    if wanted.get("currencyCode") != "KRW":
        return google_sign_in.error(
            400, "INVALID_ARGUMENT", "This property's rows are told in won only."
        )
    (days,) = wanted["dateRanges"]
    first, last = (date.fromisoformat(days[name]) for name in ("startDate", "endDate"))
    rows = [
        {
            "dimensionValues": [{"value": _DIMENSIONS[name](row)} for name in dimensions],
            "metricValues": [{"value": str(row[_METRICS[name][0]])} for name in metrics],
        }
        for row in books.installs("ga4", first, last)
    ]
    offset = int(wanted.get("offset", 0))
    page = rows[offset : offset + min(int(wanted.get("limit", books.page(10_000))), _MOST)]
    said: dict[str, Any] = {
        "dimensionHeaders": [{"name": name} for name in dimensions],
        "metricHeaders": [{"name": name, "type": _METRICS[name][1]} for name in metrics],
        "metadata": {"currencyCode": "KRW", "timeZone": "Asia/Seoul"},
        "kind": "analyticsData#runReport",
    }
    if rows:  # what is empty is left out
        said |= {"rowCount": len(rows)} | ({"rows": page} if page else {})
    return Answer(said)


def busy() -> Answer:
    """The property's tokens of this hour are used up."""
    said = google_sign_in.error(429, "RESOURCE_EXHAUSTED", "Exhausted property tokens per hour.")
    said.headers["Retry-After"] = "0"
    return said

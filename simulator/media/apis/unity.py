"""Unity Ads: acquisitions by UTC hour; an answer without a body where there are none."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["services.api.unity.com"]
VARIABLES = {"KEY_ID": "sim-unity-key-id", "SECRET_KEY": "sim-unity-secret-key"}

_BASIC = b64encode(":".join(VARIABLES.values()).encode()).decode()
_METRICS = {
    "starts": "impressions",
    "clicks": "clicks",
    "installs": "install_click",
    "spend": "spend",
}


def answer(asked: Asked, books: Books) -> Answer:
    """The rows of an organization, as JSON; the real API's CSV is not spoken here."""
    if asked.headers.get("authorization") != f"Basic {_BASIC}":
        return _refusal(401, "Unauthorized", "the service account's key is not valid")
    known = [account.account_id for account in books.accounts("unity")]
    account = asked.path.split("/")[5] if asked.path.count("/") == 7 else ""
    path = f"/advertise/stats/v2/organizations/{account}/reports/acquisitions"
    if asked.method != "GET" or asked.path != path:
        return _refusal(404, "Not Found", "no such report")
    if account not in known:
        return _refusal(403, "Forbidden", "not a member of the organization")
    query = asked.query
    metrics = query.get("metrics", "").split(",")
    if not set(metrics) <= set(_METRICS):
        return _refusal(400, "Bad Request", "unknown metrics")
    settings = tuple(query.get(name) for name in ("scale", "breakdowns", "format"))
    if settings != ("hour", "campaign", "json"):
        return _refusal(400, "Bad Request", "only scale=hour, breakdowns=campaign as JSON")
    try:
        start, end = (_instant(query[name]) for name in ("start", "end"))
    except (KeyError, ValueError):
        return _refusal(400, "Bad Request", "start and end are ISO 8601 with a time zone")
    if start >= end:
        return _refusal(400, "Bad Request", "end must be after start")
    rows = [
        {
            "timestamp": f"{row['utc_hour']:%Y-%m-%dT%H:%M:%S.000Z}",
            "campaignId": row["campaign_id"],
            "campaignName": row["campaign_name"],
            **{metric: row[_METRICS[metric]] for metric in metrics},
        }
        for row in books.hours("unity", "campaign", start.date(), end.date(), account)
        if start <= row["utc_hour"].replace(tzinfo=UTC) < end
    ]
    return Answer({"data": rows}) if rows else Answer("", 204)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.utcoffset() != timedelta(0):
        raise ValueError(text)
    return instant


def _refusal(status: int, title: str, detail: str) -> Answer:
    return Answer({"status": status, "title": title, "detail": detail}, status)

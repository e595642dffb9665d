"""Moloco Ads: a token for a key, a report that is made on request, its rows in a bucket."""

from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.moloco.cloud", "storage.googleapis.com"]
VARIABLES = {"API_KEY": "sim-moloco-api-key"}

_BUCKET = "/sim-moloco-reports/"


def answer(asked: Asked, books: Books) -> Answer:
    """An answer of the API, or of the bucket, which asks for no token."""
    if asked.host == "storage.googleapis.com":
        name = asked.path.removeprefix(_BUCKET).removesuffix(".json")
        report = books.jobs.get(("moloco", name)) if asked.path.startswith(_BUCKET) else None
        return Answer(
            {"rows": _rows(report, books)} if report else "NoSuchKey", 200 if report else 404
        )
    path = asked.path.removeprefix("/cm/v1")
    if (asked.method, path) == ("POST", "/auth/tokens"):
        return _token(asked, books)
    token = books.jobs.get(("moloco", "token"))
    if not token or asked.headers.get("authorization") != f"Bearer {token}":
        return _refusal(401, 16, "invalid token")
    if books.expired("moloco token"):
        return _refusal(401, 16, "token expired")
    if (asked.method, path) == ("POST", "/reports"):
        return _ordered(asked, books)
    name = path.removeprefix("/reports/").removesuffix("/status")
    if asked.method == "GET" and ("moloco", name) in books.jobs:
        if books.pending(f"moloco {name}"):
            return Answer({"status": "IN_PROGRESS"})
        place = f"https://storage.googleapis.com{_BUCKET}{name}"
        return Answer(
            {"status": "READY", "location_csv": f"{place}.csv", "location_json": f"{place}.json"}
        )
    return _refusal(404, 5, "not found")


def busy() -> Answer:
    """How the API says that it was asked too often."""
    return Answer({"code": 8, "message": "too many requests"}, 429, {"Retry-After": "0"})


def _refusal(status: int, code: int, message: str) -> Answer:
    return Answer({"code": code, "message": message, "details": []}, status)


def _token(asked: Asked, books: Books) -> Answer:
    if asked.json != {"api_key": VARIABLES["API_KEY"]}:
        return _refusal(401, 16, "invalid api_key")
    number = books.jobs.get(("moloco", "tokens"), 0) + 1
    books.jobs["moloco", "tokens"] = number
    books.jobs["moloco", "token"] = f"sim-moloco-token-{number}"
    return Answer({"token": f"sim-moloco-token-{number}"})


def _ordered(asked: Asked, books: Books) -> Answer:
    order = asked.json
    known = [account.account_id for account in books.accounts("moloco")]
    if order.get("ad_account_id") not in known:
        return _refusal(403, 7, "no access to the ad account")
    if order.get("dimensions") != ["DATE", "CAMPAIGN"]:
        return _refusal(400, 3, "unknown dimensions")
    first, last = (date.fromisoformat(order["date_range"][end]) for end in ("start", "end"))
    if first > last:
        return _refusal(400, 3, "date_range: start is after end")
    number = books.jobs.get(("moloco", "orders"), 0) + 1
    books.jobs["moloco", "orders"] = number
    name = f"r{number:06d}"
    books.jobs["moloco", name] = (order["ad_account_id"], first, last)
    return Answer({"id": name, "status": f"/cm/v1/reports/{name}/status"})


def _rows(report: tuple[str, date, date], books: Books) -> list[dict]:
    """Counts are texts there, as Google's JSON writes whole numbers of 64 bits."""
    account, first, last = report
    return [
        {
            "date": row["stat_date"],
            "ad_account": {"id": account},
            "campaign": {"id": row["campaign_id"], "title": row["campaign_name"]},
            "metric": {
                "impressions": str(row["impressions"]),
                "clicks": str(row["clicks"]),
                "installs": str(row["install_click"]),
                "spend": row["spend"],
            },
        }
        for row in books.figures("moloco", "campaign", first, last, account)
    ]

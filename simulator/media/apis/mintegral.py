"""Mintegral: a report is asked for until its code says that it is made, then fetched as TSV."""

import time
from datetime import date
from hashlib import md5

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["ss-api.mintegral.com"]
VARIABLES = {"ACCESS_KEY": "sim-mintegral-access-key", "API_KEY": "sim-mintegral-api-key"}

_MADE, _ACCEPTED, _IN_PROGRESS, _UNKNOWN, _NOT_READY, _WRONG = 200, 201, 202, 203, 204, 10_000
_MOST_DAYS, _CLOCK = 7, 300  # seconds that a timestamp may be off
_HEADER = (
    "Date\tOffer Id\tOffer Uuid\tOffer Name\tCurrency\tImpression\tClick\tConversion\tEcpm\tCpc\t"
    "Ctr\tCvr\tIvr\tSpend"
)


def answer(asked: Asked, books: Books) -> Answer:
    """Type 1 asks for a report and how far it is, type 2 fetches it; errors have status 200."""
    if (asked.method, asked.path) != ("GET", "/api/v2/reports/data"):
        return Answer("not found", 404)
    if not _is_signed(asked.headers):
        return _said(_WRONG, "token error")
    query = dict(asked.query)
    kind = query.pop("type", "")
    fixed = {"timezone": "+9", "dimension_option": "Offer", "time_granularity": "daily"}
    if any(query.get(name) != value for name, value in fixed.items()):
        return _said(_WRONG, "timezone, dimension_option or time_granularity is not valid")
    first, last = (date.fromisoformat(query[name]) for name in ("start_time", "end_time"))
    if not 0 <= (last - first).days < _MOST_DAYS:
        return _said(_WRONG, f"no more than {_MOST_DAYS} days can be queried")
    report = ("mintegral", first, last, books.today)
    if kind == "1":
        if report not in books.jobs:
            books.jobs[report] = True
            return _said(_ACCEPTED, "Receive success, please wait for data generation")
        if books.pending(repr(report)):
            return _said(_IN_PROGRESS, "Data generation in progress")
        return _said(_MADE, "Generate success, please use type = 2 to get data")
    if kind != "2":
        return _said(_WRONG, "type is not valid")
    if report not in books.jobs:
        return _said(_UNKNOWN, "No such request, please use type = 1 first")
    rows = books.figures("mintegral", "campaign", first, last)
    lines = [_HEADER, *(_line(row) for row in rows)]
    return Answer("\n".join(lines) + "\n", headers={"Content-Type": "application/octet-stream"})


def _is_signed(headers: dict[str, str]) -> bool:
    stamp = headers.get("timestamp", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > _CLOCK:
        return False
    wanted = _md5(VARIABLES["API_KEY"] + _md5(stamp))
    told = (headers.get("access-key"), headers.get("token"))
    return told == (VARIABLES["ACCESS_KEY"], wanted)


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _said(code: int, message: str) -> Answer:
    return Answer({"code": code, "msg": message})


def _line(row: dict) -> str:
    shown, clicked, installed = row["impressions"], row["clicks"], row["install_click"]
    ratios = (
        row["spend"] * 1000 / shown,
        row["spend"] / max(clicked, 1),
        100 * clicked / shown,
        100 * installed / max(clicked, 1),
        100 * installed / shown,
    )
    values = (
        f"{row['stat_date']:%Y%m%d}",
        row["campaign_id"],
        f"ss_{row['campaign_id']}",
        row["campaign_name"],
        row["currency"],
        shown,
        clicked,
        installed,
        *(f"{ratio:.2f}" for ratio in ratios),
        f"{row['spend']:.2f}",
    )
    return "\t".join(map(str, values))

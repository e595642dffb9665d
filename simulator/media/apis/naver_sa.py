"""Naver Search Ad: signed requests; a day's reports are made on request, as TSV without header.

Some accounts tell conversion types as numbers, others as words; here it is by campaign.
"""

import base64
import hashlib
import hmac
import json
import time
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.searchad.naver.com"]
VARIABLES = {"API_KEY": "sim-naver-sa-licence", "SECRET_KEY": "sim-naver-sa-secret"}
_MEDIUM = "naver_sa"
_KEPT = timedelta(days=365)  # how far back reports of ads and conversions are made
_STATS_DAYS, _STATS_KEPT = 92, timedelta(days=730)
_DEVICES = (("M", "8753"), ("P", "27758"))
_COUNTED = (
    *(f"{kind}_click_{days}" for kind in ("lead", "signup", "purchase") for days in ("1d", "7d")),
    *(f"purchase_value_click_{days}" for days in ("1d", "7d")),
)
_TYPES = {"purchase": ("1", "purchase"), "signup": ("2", "sign_up"), "lead": ("4", "lead")}


def busy() -> Answer:
    """Too many connections."""
    return Answer({"code": 1016, "title": "too many connections"}, 429, {"Retry-After": "0"})


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a signed request for a customer's lists, figures and reports."""
    customer = asked.headers.get("x-customer", "")
    if not _is_signed(asked):
        return _wrong("Invalid Signature", 403)
    if customer not in {account.account_id for account in books.accounts(_MEDIUM)}:
        return _wrong("No permission for the customer", 403)
    first, _, rest = asked.path.strip("/").partition("/")
    match asked.method, first:
        case "POST", "stat-reports" | "master-reports":
            return _ordered(first, asked.json, customer, books)
        case "GET", "stat-reports" | "master-reports":
            return _state(first, rest, customer, books)
        case "GET", "report-download":
            job = books.jobs.get(asked.query.get("authtoken", ""))
            return Answer(_file(job, books)) if job else _wrong("Unknown file", 404)
        case "GET", "stats":
            return _stats(asked.query, customer, books)
        case "GET", "ncc":
            return _listed(rest, asked.query, customer, books)
    return _wrong("Not found", 404)


def _wrong(title: str, status: int = 400) -> Answer:
    return Answer({"code": status * 10, "status": status, "title": title}, status)


def _is_signed(asked: Asked) -> bool:
    stamp = asked.headers.get("x-timestamp", "")
    if not stamp.isdigit() or abs(int(stamp) / 1000 - time.time()) > 300:
        return False
    text = f"{stamp}.{asked.method}.{asked.path}".encode()
    key = VARIABLES["SECRET_KEY"].encode()
    signature = base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
    return asked.headers.get("x-api-key") == VARIABLES["API_KEY"] and hmac.compare_digest(
        signature, asked.headers.get("x-signature", "")
    )


# -- reports that are made on request -----------------------------------------------------------


def _ordered(kind: str, wanted: dict[str, Any], customer: str, books: Books) -> Answer:
    job = {"customer": customer, "kind": kind}
    if kind == "stat-reports":
        try:
            day = datetime.strptime(wanted["statDt"], "%Y%m%d").date()
        except (KeyError, ValueError):
            return _wrong("statDt is not valid")
        if wanted.get("reportTp") not in ("AD", "AD_CONVERSION"):
            return _wrong("reportTp is not valid")
        if not books.today - _KEPT <= day <= books.today:
            return _wrong("statDt is out of range")
        job |= {"type": wanted["reportTp"], "day": day}
    elif wanted.get("item") != "Keyword":
        return _wrong("item is not valid")
    number = str(1_000 + len(books.jobs))
    books.jobs[_place(kind, number)] = job
    return Answer(_told(kind, number, job, "REGIST"))


def _place(kind: str, number: str) -> str:
    return f"{_MEDIUM}/{kind}/{number}"


def _told(kind: str, number: str, job: dict[str, Any], status: str) -> dict[str, Any]:
    place = quote(_place(kind, number), safe="")
    url = f"https://{HOSTS[0]}/report-download?authtoken={place}&fileVersion=v2"
    said = {"status": status, "downloadUrl": url if status == "BUILT" else ""}
    if kind == "master-reports":
        return {"id": number, "item": "Keyword", **said}
    day = f"{job['day']:%Y-%m-%d}T15:00:00.000Z"
    return {"reportJobId": int(number), "reportTp": job["type"], "statDt": day, **said}


def _state(kind: str, number: str, customer: str, books: Books) -> Answer:
    job = books.jobs.get(_place(kind, number))
    if job is None or job["customer"] != customer:
        return _wrong("Unknown report", 404)
    if job.get("day") == books.today:
        status = "AGGREGATING"  # until the day is over
    elif books.pending(_place(kind, number)):
        status = "RUNNING"
    else:
        status = "BUILT" if _file(job, books) else "NONE"
    return Answer(_told(kind, number, job, status))


def _file(job: dict[str, Any], books: Books) -> str:
    if job["kind"] == "master-reports":
        lines = _keywords(job["customer"], books)
    elif job["type"] == "AD":
        lines = _delivery(job["customer"], job["day"], books)
    else:
        lines = _conversions(job["customer"], job["day"], books)
    return "".join("\t".join(map(str, line)) + "\n" for line in lines)


def _keywords(customer: str, books: Books) -> list[tuple]:
    return [
        (customer, row["ad_group_id"], row["keyword_id"], row["keyword"], 70, row["landing_url"],
         row["landing_url"], 0 if row["status"] == "active" else 1, 20, "true",
         "2025-01-02T01:00:00.000Z", "", 0)
        for row in books.entities(_MEDIUM, "keyword", customer)
    ]  # fmt: skip


def _keyed(row: dict[str, Any], customer: str) -> tuple:
    group, keyword, ad = (row.get(n) or "-" for n in ("ad_group_id", "keyword_id", "ad_id"))
    channel = f"bsn-a001-00-{row['campaign_id'][-15:]}"
    return f"{row['stat_date']:%Y%m%d}", customer, row["campaign_id"], group, keyword, ad, channel


def _delivery(customer: str, day: date, books: Books) -> list[tuple]:
    lines = []
    for row in books.figures(_MEDIUM, "keyword", day, day, customer):
        shown = [int(row[name]) for name in ("impressions", "clicks", "spend")]
        on_phones = [figure * 7 // 10 for figure in shown]
        on_computers = [whole - part for whole, part in zip(shown, on_phones, strict=True)]
        for (device, medium), part in zip(_DEVICES, (on_phones, on_computers), strict=True):
            rank = round(part[0] * row["rank"])
            lines.append((*_keyed(row, customer), medium, device, *part, rank, 0))
    return lines


def _conversions(customer: str, day: date, books: Books) -> list[tuple]:
    """Direct ones (1) come within a session, indirect ones (2) later; some of no ad any more."""
    rows = books.figures(_MEDIUM, "keyword", day, day, customer)
    for campaign in books.figures(_MEDIUM, "campaign", day, day, customer):
        own = [row for row in rows if row["campaign_id"] == campaign["campaign_id"]]
        counted = {name: campaign[name] - sum(row[name] for row in own) for name in _COUNTED}
        rows.append(campaign | counted)
    device, medium = _DEVICES[0]
    lines = []
    for row in rows:
        has_words = int(row["campaign_id"][-3:]) % 3 == 0
        for kind, names in _TYPES.items():
            before = 0, 0
            for method, days in ((1, "1d"), (2, "7d")):
                worth = int(row[f"purchase_value_click_{days}"]) if kind == "purchase" else 0
                so_far = row[f"{kind}_click_{days}"], worth
                count, value = so_far[0] - before[0], so_far[1] - before[1]
                before = so_far
                if count:
                    lines.append((*_keyed(row, customer), medium, device, method,
                                  names[has_words], count, value))  # fmt: skip
    return lines


# -- figures and lists --------------------------------------------------------------------------


def _stats(query: dict[str, str], customer: str, books: Books) -> Answer:
    try:
        fields = json.loads(query["fields"])
        days = json.loads(query["timeRange"])
        first, last = date.fromisoformat(days["since"]), date.fromisoformat(days["until"])
    except (KeyError, ValueError):
        return _wrong("fields and timeRange are JSON")
    if query.get("timeIncrement") != "1" or "id" not in query:
        return _wrong("id and timeIncrement=1 are what is known here")
    if last < first or (last - first).days >= _STATS_DAYS or books.today - first > _STATS_KEPT:
        return _wrong("timeRange is out of range")
    return Answer(
        {
            "data": [
                {"dateStart": row["stat_date"], "dateEnd": row["stat_date"]}
                | {name: value for name, value in _figures(row).items() if name in fields}
                for row in books.figures(_MEDIUM, "campaign", first, last, customer)
                if row["campaign_id"] == query["id"]
            ]
        }
    )


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "impCnt": row["impressions"],
        "clkCnt": row["clicks"],
        "salesAmt": row["spend"],
        "ccnt": sum(row[f"{kind}_click_7d"] for kind in _TYPES),
        "convAmt": row["purchase_value_click_7d"],
    }


def _listed(what: str, query: dict[str, str], customer: str, books: Books) -> Answer:
    if what == "campaigns":
        return Answer(
            [
                {"nccCampaignId": row["campaign_id"], "name": row["campaign_name"]}
                | {"campaignTp": "WEB_SITE", "status": _status(row)}
                for row in books.entities(_MEDIUM, "campaign", customer)
            ]
        )
    if what == "adgroups":
        return Answer(
            [
                {"nccAdgroupId": row["ad_group_id"], "nccCampaignId": row["campaign_id"]}
                | {"name": row["ad_group_name"], "status": _status(row)}
                for row in books.entities(_MEDIUM, "ad_group", customer)
                if query.get("nccCampaignId") in (None, row["campaign_id"])
            ]
        )
    return _wrong("Not found", 404)


def _status(row: dict[str, Any]) -> str:
    return "ELIGIBLE" if row["status"] == "active" else "PAUSED"

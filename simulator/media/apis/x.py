"""X Ads: requests signed by OAuth 1.0a, lists by cursor, stats as jobs that end in gzipped JSON."""

import gzip
import hmac
import json
import re
import time
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["ads-api.x.com", "ton.twimg.com"]
VARIABLES = {
    "CONSUMER_KEY": "sim-x-consumer-key",
    "CONSUMER_SECRET": "sim-x-consumer-secret",
    "TOKEN": "4242-sim-x-token",
    "TOKEN_SECRET": "sim-x-token-secret",
}
_FILES = "/advertiser-api-async-analytics/"
_GROUPS = {"ENGAGEMENT", "BILLING", "WEB_CONVERSION"}
_METRICS = {
    "impressions": ("ENGAGEMENT", "impressions", 1),
    "clicks": ("ENGAGEMENT", "clicks", 1),
    "billed_charge_local_micro": ("BILLING", "spend", 1_000_000),
}
_CONVERSIONS = {
    "conversion_sign_ups": {"post_engagement": "lead_click_28d", "post_view": "lead_view_1d"},
    "conversion_purchases": {
        "post_engagement": "purchase_click_28d",
        "sale_amount": "purchase_value_click_28d",
    },
}


def answer(asked: Asked, books: Books) -> Answer:
    """Lists of an account's entities, jobs and their files."""
    if asked.host == "ton.twimg.com":
        job = books.jobs.get(("x", asked.path.removeprefix(_FILES).removesuffix(".json.gz")))
        if job is None or "authorization" in asked.headers:
            return Answer("no such file", 404)
        return Answer(gzip.compress(json.dumps(_stats(job, books)).encode(), mtime=0))
    if not _is_signed(asked, books):
        return _error("UNAUTHORIZED_ACCESS", "This request is not properly authenticated", 401)
    if not (found := re.fullmatch(r"/12/(stats/jobs/)?accounts/(\w+)(?:/(\w+))?", asked.path)):
        return _error("ROUTE_NOT_FOUND", "The requested resource could not be found", 404)
    stats, account_id, kind = found.groups()
    account = next((a for a in books.accounts("x") if a.account_id == account_id), None)
    if account is None:
        return _error("NOT_FOUND", "User has no access to this account", 404)
    if stats and kind is None:
        zone = ZoneInfo(account.time_zone)
        return (
            _made(asked, books, account_id, zone) if asked.method == "POST" else _jobs(asked, books)
        )
    rows = _entities(kind, account_id, books)
    if stats or rows is None or asked.method != "GET":
        return _error("ROUTE_NOT_FOUND", "The requested resource could not be found", 404)
    count = int(asked.query.get("count", 200))
    if not 1 <= count <= 1000:
        return _error("INVALID_PARAMETER", "Expected Int in 1..1000", 400, "count")
    start, size = int(asked.query.get("cursor", "c0")[1:]), books.page(count)
    following = f"c{start + size}" if start + size < len(rows) else None
    return Answer({"request": {"params": {}}, "next_cursor": following,
                   "data": rows[start : start + size]})  # fmt: skip


def _entities(kind: str | None, account_id: str, books: Books) -> list[dict[str, Any]] | None:
    """The account's campaigns, line items or promoted tweets, as the API tells them."""
    if kind == "campaigns":
        return [
            {"id": c["campaign_id"], "name": c["campaign_name"],
             "entity_status": c["status"].upper(), "deleted": False}
            for c in books.entities("x", "campaign", account_id)
        ]  # fmt: skip
    if kind == "line_items":
        return [
            {"id": g["ad_group_id"], "campaign_id": g["campaign_id"], "name": g["ad_group_name"],
             "entity_status": g["status"].upper(), "deleted": False}
            for g in books.entities("x", "ad_group", account_id)
        ]  # fmt: skip
    if kind == "promoted_tweets":
        return [
            {"id": a["ad_id"], "line_item_id": a["ad_group_id"], "tweet_id": f"17{a['ad_id']}",
             "entity_status": a["status"].upper(), "approval_status": "ACCEPTED"}
            for a in books.entities("x", "ad", account_id)
        ]  # fmt: skip
    return None


def _made(asked: Asked, books: Books, account_id: str, zone: ZoneInfo) -> Answer:
    """A job, unless the documentation forbids what is asked for."""
    query = asked.query
    for name in ("entity", "entity_ids", "start_time", "end_time", "granularity", "placement",
                 "metric_groups"):  # fmt: skip
        if not query.get(name):
            return _error("MISSING_PARAMETER", f"{name} is a required parameter", 400, name)
    if query["entity"] != "PROMOTED_TWEET" or query["granularity"] != "DAY":
        return _error("INVALID_PARAMETER", "not simulated", 400, "entity")
    ids, groups = query["entity_ids"].split(","), set(query["metric_groups"].split(","))
    known = {a["ad_id"] for a in books.entities("x", "ad", account_id)}
    if len(ids) > 20 or not set(ids) <= known:
        return _error("INVALID_PARAMETER", "Expected at most 20 ids", 400, "entity_ids")
    if not groups <= _GROUPS:
        return _error("INVALID_PARAMETER", "unknown metric group", 400, "metric_groups")
    start, end = (datetime.fromisoformat(query[name]).astimezone(zone)
                  for name in ("start_time", "end_time"))  # fmt: skip
    midnights = start.time() == end.time() == datetime.min.time()
    if not midnights or not start < end <= start + timedelta(days=90):
        return _error("INVALID_PARAMETER", "not whole days of the account", 400, "end_time")
    number = str(1_000_000_000_000_000_000 + len(books.jobs))
    last = end.date() - timedelta(days=1)
    books.jobs["x", number] = (account_id, ids, groups, start.date(), last)
    return Answer({"request": {"params": query}, "data": _job(number, "PROCESSING")})


def _jobs(asked: Asked, books: Books) -> Answer:
    jobs = []
    for number in asked.query.get("job_ids", "").split(","):
        if ("x", number) in books.jobs:
            is_pending = books.pending(f"x {number}")
            jobs.append(_job(number, "PROCESSING" if is_pending else "SUCCESS"))
    return Answer({"request": {"params": asked.query}, "next_cursor": None, "data": jobs})


def _job(number: str, status: str) -> dict[str, Any]:
    url = f"https://ton.twimg.com{_FILES}{number}.json.gz" if status == "SUCCESS" else None
    return {"id": int(number), "id_str": number, "status": status, "url": url}


def _stats(job: Any, books: Books) -> dict[str, Any]:
    """Arrays of figures by promoted tweet; null where there is nothing on any day."""
    account_id, ids, groups, first, last = job
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    by_day = {
        (row["ad_id"], row["stat_date"]): row
        for row in books.figures("x", "ad", first, last, account_id)
    }

    def series(ad_id: str, name: str, factor: int) -> list[int] | None:
        values = [by_day.get((ad_id, day), {}).get(name) for day in days]
        if all(value is None for value in values):
            return None
        return [int((value or 0) * factor) for value in values]

    data = []
    for ad_id in ids:
        metrics: dict[str, Any] = {
            name: series(ad_id, key, factor)
            for name, (group, key, factor) in _METRICS.items()
            if group in groups
        }
        for name, parts in _CONVERSIONS.items() if "WEB_CONVERSION" in groups else ():
            metrics[name] = {
                part: series(ad_id, key, 1_000_000 if part == "sale_amount" else 1)
                for part, key in parts.items()
            }
        data.append({"id": ad_id, "id_data": [{"segment": None, "metrics": metrics}]})
    return {"data_type": "stats", "time_series_length": len(days), "data": data}


def _is_signed(asked: Asked, books: Books) -> bool:
    """Whether the signature is that of RFC 5849, of now, and new."""
    scheme, _, fields = asked.headers.get("authorization", "").partition(" ")
    given = dict(re.findall(r'(\w+)="([^"]*)"', fields))
    signature = unquote(given.pop("oauth_signature", ""))
    parameters = [(name, unquote(value)) for name, value in given.items() if name != "realm"]
    parameters += parse_qsl(urlsplit(asked.target).query, keep_blank_values=True)
    if asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        parameters += parse_qsl(asked.body.decode(), keep_blank_values=True)
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in parameters)
    text = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join(map(_escaped, (asked.method, f"https://{asked.host}{asked.path}", text)))
    key = "&".join(_escaped(VARIABLES[name]) for name in ("CONSUMER_SECRET", "TOKEN_SECRET"))
    right = b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()
    nonces = books.jobs.setdefault("x nonces", set())
    is_right = (
        scheme == "OAuth"
        and given.get("oauth_consumer_key") == VARIABLES["CONSUMER_KEY"]
        and unquote(given.get("oauth_token", "")) == VARIABLES["TOKEN"]
        and given.get("oauth_signature_method") == "HMAC-SHA1"
        and abs(int(given.get("oauth_timestamp") or 0) - time.time()) < 300
        and given.get("oauth_nonce") not in nonces
        and hmac.compare_digest(signature, right)
    )
    nonces.add(given.get("oauth_nonce"))
    return is_right


def _escaped(text: str) -> str:
    return quote(text, safe="~")


def _error(code: str, message: str, status: int, parameter: str | None = None) -> Answer:
    error = {"code": code, "message": message} | ({"parameter": parameter} if parameter else {})
    return Answer({"errors": [error], "request": {"params": {}}}, status)


def busy() -> Answer:
    """Says how X limits rates."""
    answer = _error("TOO_MANY_REQUESTS", "This request exceeds the rate limit", 429)
    answer.headers = {"Retry-After": "0", "x-rate-limit-remaining": "0"}
    return answer

"""LINE Ads: each request signed by a JWS of its own, reports made on request, as CSV."""

import csv
import hashlib
import hmac
import io
import json
import re
import time
from base64 import urlsafe_b64decode
from datetime import date
from email.utils import parsedate_to_datetime

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["ads.line.me"]
VARIABLES = {"ACCESS_KEY": "SIMLINEACCESSKEY", "SECRET_KEY": "sim-line-secret-key"}
_COLUMNS = {
    "day": "stat_date",
    "ad_account_id": "account_id",
    "campaign_id": "campaign_id",
    "campaign_name": "campaign_name",
    "ad_group_id": "ad_group_id",
    "ad_group_name": "ad_group_name",
    "ad_id": "ad_id",
    "ad_name": "ad_name",
    "currency": "currency",
    "cost": "spend",
    "impressions": "impressions",
    "clicks": "clicks",
    "cv": "lead_click_28d",
    "purchase": "purchase_click_28d",
    "installs_clicks_and_views": "install_click",
}


def answer(asked: Asked, books: Books) -> Answer:
    """A report is asked for, looked up and downloaded."""
    if not _is_signed(asked):
        return _error("UNAUTHORIZED", 401)
    path = re.fullmatch(r"/api/v3/adaccounts/(\w+)/pfreports(?:/(\d+)(/download)?)?", asked.path)
    if not path or path[1] not in {a.account_id for a in books.accounts("line")}:
        return _error("NOT_FOUND", 404)
    if asked.method == "POST" and path[2] is None:
        wanted = asked.json
        if wanted.get("level") != "AD" or wanted.get("fileFormat") != "CSV":
            return _error("INVALID_PARAMETER", 400)
        first, last = (date.fromisoformat(wanted[name]) for name in ("since", "until"))
        if first > last:
            return _error("INVALID_PARAMETER", 400)
        number = str(70_000 + len(books.jobs))
        books.jobs["line", number] = (path[1], first, last)
        return Answer({"id": number, "status": "WAITING", **wanted}, 201)
    job = books.jobs.get(("line", path[2]))
    if asked.method != "GET" or job is None or job[0] != path[1]:
        return _error("NOT_FOUND", 404)
    if path[3] is None:
        is_pending = books.pending(f"line {path[2]}")
        return Answer({"id": path[2], "status": "PROCESSING" if is_pending else "READY"})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for row in books.figures("line", "ad", job[1], job[2], job[0]):
        # a yen has no parts
        writer.writerow(
            [int(row[key]) if key == "spend" else row[key] for key in _COLUMNS.values()]
        )
    return Answer(text.getvalue().encode(), headers={"Content-Type": "text/csv; charset=UTF-8"})


def _is_signed(asked: Asked) -> bool:
    """Whether the token signs this body, type, day and path, and was made just now."""
    token = asked.headers.get("authorization", "").removeprefix("Bearer ").split(".")
    if len(token) != 3:
        return False
    signed = ".".join(token[:2]).encode()
    right = hmac.digest(VARIABLES["SECRET_KEY"].encode(), signed, "sha256")
    header, payload, signature = (
        urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token
    )
    sent = parsedate_to_datetime(asked.headers["date"])
    lines = (
        hashlib.sha256(asked.body).hexdigest(),
        asked.headers.get("content-type", ""),
        f"{sent:%Y%m%d}",
        asked.path,
    )
    wanted = {"alg": "HS256", "kid": VARIABLES["ACCESS_KEY"], "typ": "text/plain"}
    return (
        hmac.compare_digest(signature, right)
        and json.loads(header) == wanted
        and payload.decode() == "\n".join(lines)
        and abs(sent.timestamp() - time.time()) < 300
    )


def _error(reason: str, status: int) -> Answer:
    return Answer({"errors": [{"reason": reason}]}, status)

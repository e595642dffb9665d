"""Apple Ads Platform API 1.0: an ES256 client secret buys a token, reports want a campaign."""

import base64
import json
from datetime import date, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

_API, _TOKENS = HOSTS = ["api.ads.apple.com", "appleid.apple.com"]
_AUDIENCE = f"https://{_TOKENS}"
_TOKEN = "sim-apple-access-token"
_KEY = ec.derive_private_key(0x51D_0A99, ec.SECP256R1())  # any number makes a key
VARIABLES = {
    "CLIENT_ID": "SEARCHADS.sim-client",
    "TEAM_ID": "SEARCHADS.sim-team",
    "KEY_ID": "sim-key",
    # on one line, as variables of an environment hold it
    "PRIVATE_KEY": _KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
    .strip()
    .replace("\n", "\\n"),
}
_LEVELS = {
    "/v1/reports/apps/campaigns/query": "campaign",
    "/v1/reports/apps/ads/query": "ad",
    "/v1/reports/apps/keywords/query": "keyword",
    "/v1/reports/apps/searchterms/query": "search_term",
}
_PAGE, _KEPT = 5000, timedelta(days=90)
_Row = dict[str, Any]


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a request."""
    if asked.host == _TOKENS:
        return _token(asked)
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("apple token"):
        return _error(401, "UNAUTHORIZED", "The access token is not valid")
    context = asked.headers.get("x-ap-context", "").removeprefix("adAccountId=")
    if context not in {account.account_id for account in books.accounts("apple")}:
        return _error(403, "FORBIDDEN", "No access to the ad account")
    if asked.method == "POST" and asked.path == "/v1/campaigns/query":
        rows = [_campaign(row) for row in books.entities("apple", "campaign", context)]
        return _paged(asked, rows, books, lambda page: page)
    if asked.method != "POST" or asked.path not in _LEVELS:
        return _error(404, "NOT_FOUND", "No such resource")
    return _report(asked, _LEVELS[asked.path], context, books)


def _token(asked: Asked) -> Answer:
    """A token for a secret that the client's key has signed for us, and that is no day too old."""
    form = asked.form
    wanted = ("client_credentials", VARIABLES["CLIENT_ID"], "searchadsorg")
    if asked.method != "POST" or asked.path != "/auth/oauth2/token":
        return Answer({"error": "invalid_request"}, 400)
    if tuple(form.get(name) for name in ("grant_type", "client_id", "scope")) != wanted:
        return Answer({"error": "invalid_request"}, 400)
    try:
        header, claims = _signed(form.get("client_secret", ""))
    except (ValueError, InvalidSignature):
        return Answer({"error": "invalid_client"}, 400)
    told = (header["alg"], header["kid"], claims["iss"], claims["sub"], claims["aud"])
    if (
        told
        != (
            "ES256",
            VARIABLES["KEY_ID"],
            VARIABLES["TEAM_ID"],
            VARIABLES["CLIENT_ID"],
            _AUDIENCE,
        )
        or not 0 < claims["exp"] - claims["iat"] <= timedelta(days=180).total_seconds()
    ):
        return Answer({"error": "invalid_client"}, 400)
    return Answer({"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 3600})


def _signed(secret: str) -> tuple[_Row, _Row]:
    """Header and claims of a JWT. Raises InvalidSignature, or ValueError where it is none."""
    signed, _, signature = secret.rpartition(".")
    header, _, claims = signed.partition(".")
    raw = _bytes(signature)
    if len(raw) != 64:
        raise ValueError("no signature of P-256")
    numbers = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    _KEY.public_key().verify(
        encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256())
    )
    return json.loads(_bytes(header)), json.loads(_bytes(claims))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _report(asked: Asked, level: str, account: str, books: Books) -> Answer:
    wanted = asked.json
    filters = {each.get("field"): each for each in wanted.get("filters", [])}
    campaign, days = filters.get("campaignId"), wanted.get("timeRange", {})
    if not campaign or campaign.get("operator") != "EQUALS":
        return _error(400, "INVALID_INPUT", "A campaignId filter is required")
    first, last = (date.fromisoformat(days[name]) for name in ("start", "end"))
    if days.get("timeZone") != "ORTZ":
        return _error(400, "INVALID_INPUT", "Search terms want the time zone ORTZ")
    if days.get("granularity") != "DAILY" or first >= last:
        return _error(400, "INVALID_INPUT", "DAILY wants a range of more than one day")
    if first < books.today - _KEPT:
        return _error(400, "INVALID_INPUT", "DAILY must start within the last 90 days")
    of: dict[str, tuple[_Row, list[_Row]]] = {}
    for row in books.figures("apple", level, first, last, account):
        if str(row["campaign_id"]) in map(str, campaign["value"]):
            metadata = _metadata(row, level)
            key = json.dumps(metadata, sort_keys=True)
            of.setdefault(key, (metadata, []))[1].append(row)
    rows = [
        {
            "metadata": metadata,
            "totalMetrics": _metrics(found),
            "granularMetrics": [
                {"date": row["stat_date"].isoformat()} | _metrics([row]) for row in found
            ],
        }
        for metadata, found in of.values()
    ]
    return _paged(asked, rows, books, lambda page: {"rows": page})


def _paged(asked: Asked, rows: list[_Row], books: Books, shape: Any) -> Answer:
    paging = asked.json.get("pagination", {})
    start, size = paging.get("offset", 0), paging.get("pageSize", 100)
    if not 0 < size <= _PAGE:
        return _error(400, "INVALID_INPUT", f"pageSize is at most {_PAGE}")
    size = books.page(size)
    page = {"offset": start, "pageSize": size, "totalCount": len(rows)}
    return Answer({"result": shape(rows[start : start + size]), "pagination": page})


def _campaign(row: _Row) -> _Row:
    return {
        "id": int(row["campaign_id"]),
        "name": row["campaign_name"],
        "promotedObjectType": "APPSTORE_APP",
        "status": "ENABLED" if row["status"] == "active" else "PAUSED",
        "deleted": False,
    }


def _metadata(row: _Row, level: str) -> _Row:
    account, campaign = int(row["account_id"]), int(row["campaign_id"])
    if level == "campaign":
        return {"id": campaign, "name": row["campaign_name"], "adAccountId": account}
    above: _Row = {"adAccountId": account, "campaignId": campaign}
    group = int(row["ad_group_id"])
    if level == "ad":
        named = {"id": int(row["ad_id"]), "name": row["ad_name"]}
        return above | {"adGroupId": group} | named
    word = {
        "id": int(row["keyword_id"]),
        "text": row["keyword"],
        "matchType": row["match_type"].upper(),
    }
    if level == "keyword":
        return above | {"adGroupId": group} | word
    return above | {
        "adGroup": {"id": group, "name": row["ad_group_name"]},
        "keyword": word,
        "searchTermText": row["search_term"],
        "searchTermSource": "TARGETED",
    }


def _metrics(rows: list[_Row]) -> _Row:
    spend, impressions = sum(row["spend"] for row in rows), sum(row["impressions"] for row in rows)
    taps, installs = (sum(row[name] for row in rows) for name in ("clicks", "install_click"))
    views = int(sum(row["purchase_view_1d"] for row in rows))
    return {
        "localSpend": {"amount": str(spend), "currency": rows[0]["currency"]},
        "impressions": impressions,
        "taps": taps,
        "ttr": round(taps / impressions, 4) if impressions else 0,
        "tapInstalls": installs,
        "viewInstalls": views,
        "totalInstalls": installs + views,
    }


def _error(status: int, code: str, message: str) -> Answer:
    return Answer({"error": {"code": code, "message": message}}, status)

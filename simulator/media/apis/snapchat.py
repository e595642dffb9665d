"""Snapchat Ads: figures of a campaign's ads as series of days, lists by links to the next page."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["adsapi.snapchat.com", "accounts.snapchat.com"]
VARIABLES = {
    "CLIENT_ID": "sim-snapchat-client",
    "CLIENT_SECRET": "sim-snapchat-client-secret",
    "REFRESH_TOKEN": "sim-snapchat-refresh-token",
}
_TOKEN = "sim-snapchat-access-token"
_MICRO = 1_000_000
_FIELDS = {
    "impressions": ("impressions", 1),
    "swipes": ("clicks", 1),
    "spend": ("spend", _MICRO),
    "conversion_sign_ups": ("signup_click_28d", 1),
    "conversion_purchases": ("purchase_click_28d", 1),
    "conversion_purchases_value": ("purchase_value_click_28d", _MICRO),
}
_LISTS = {
    "campaigns": ("campaign", "campaign", {}),
    "adsquads": ("adsquad", "ad_group", {"campaign_id": "campaign_id"}),
    "ads": ("ad", "ad", {"ad_squad_id": "ad_group_id"}),
}


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens, lists of names and figures."""
    if asked.host == "accounts.snapchat.com":
        wanted = {"grant_type": "refresh_token"} | {k.lower(): v for k, v in VARIABLES.items()}
        if asked.path != "/login/oauth2/access_token" or asked.form != wanted:
            return Answer({"error": "invalid_grant"}, 400)
        told = {"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 1800}
        return Answer(told | {"refresh_token": VARIABLES["REFRESH_TOKEN"]})
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("snapchat token"):
        return _error("E1008", "Unauthorized", 401)
    accounts = {a.account_id: a for a in books.accounts("snapchat")}
    listed = re.fullmatch(r"/v1/adaccounts/([\w-]+)/(campaigns|adsquads|ads)", asked.path)
    if listed and listed[1] in accounts:
        return _listed(asked, books, *listed.groups())
    if found := re.fullmatch(r"/v1/campaigns/([\w-]+)/stats", asked.path):
        for campaign in books.entities("snapchat", "campaign"):
            if campaign["campaign_id"] == found[1]:
                account = accounts[campaign["account_id"]]
                return _stats(asked, books, found[1], ZoneInfo(account.time_zone))
    return _error("E1001", "Resource not found", 404)


def _listed(asked: Asked, books: Books, account_id: str, kind: str) -> Answer:
    name, level, parents = _LISTS[kind]
    limit = int(asked.query.get("limit", 50))
    if not 1 <= limit <= 1000:
        return _error("E2002", "limit is out of range", 400)
    rows = [
        {"sub_request_status": "SUCCESS", name: {
            "id": row[f"{level}_id"], "name": row[f"{level}_name"],
            "status": row["status"].upper(),
            **{theirs: row[ours] for theirs, ours in parents.items()},
        }}
        for row in books.entities("snapchat", level, account_id)
    ]  # fmt: skip
    start, size = int(asked.query.get("cursor", "0")), books.page(limit)
    size = 1 if size < limit else size  # there are two campaigns only
    link = f"https://{HOSTS[0]}{asked.path}?limit={limit}&cursor={start + size}"
    paging = {"next_link": link} if start + size < len(rows) else {}
    told = {"request_status": "SUCCESS", "request_id": "sim", "paging": paging}
    return Answer(told | {kind: rows[start : start + size]})


def _stats(asked: Asked, books: Books, campaign_id: str, zone: ZoneInfo) -> Answer:
    """Series of days by ad, unless the documentation forbids what is asked for."""
    query = asked.query
    fields = query.get("fields", "spend").split(",")
    if query.get("granularity") != "DAY" or query.get("breakdown") != "ad":
        return _error("E1001", "not simulated", 400)
    if not set(fields) <= set(_FIELDS):
        return _error("E1001", "Unsupported Stats Query: unknown field", 400)
    windows = query.get("swipe_up_attribution_window"), query.get("view_attribution_window")
    if windows != ("28_DAY", "none"):
        return _error("E1001", "not simulated: other attribution windows", 400)
    start, end = (datetime.fromisoformat(query[name]).astimezone(zone)
                  for name in ("start_time", "end_time"))  # fmt: skip
    if start.time() != datetime.min.time() or end.time() != start.time():
        return _error(
            "E1008", "Timeseries queries with DAY granularity start and end at midnight", 400
        )
    if not start < end <= start + timedelta(days=31):
        return _error("E1001", "the time range is too long", 400)
    last = end.date() - timedelta(days=1)
    series: dict[str, list[Any]] = {}
    for row in books.figures("snapchat", "ad", start.date(), last):
        if row["campaign_id"] == campaign_id:
            day = datetime.combine(row["stat_date"], datetime.min.time(), zone)
            figures = {name: int(row[key] * factor) for name, (key, factor) in _FIELDS.items()}
            series.setdefault(row["ad_id"], []).append(
                {"start_time": _instant(day), "end_time": _instant(day + timedelta(days=1)),
                 "stats": {name: figures[name] for name in fields}}
            )  # fmt: skip
    ads = [
        {"id": ad_id, "type": "AD", "granularity": "DAY", "timeseries": days}
        for ad_id, days in series.items()
    ]
    stat = {"id": campaign_id, "type": "CAMPAIGN", "granularity": "DAY",
            "start_time": _instant(start), "end_time": _instant(end),
            "finalized_data_end_time": _instant(end), "breakdown_stats": {"ad": ads}}  # fmt: skip
    told = {"request_status": "SUCCESS", "request_id": "sim", "paging": {}}
    stats = [{"sub_request_status": "SUCCESS", "timeseries_stat": stat}]
    return Answer(told | {"timeseries_stats": stats})


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _error(code: str, message: str, status: int) -> Answer:
    told = {"request_status": "ERROR", "request_id": "sim", "error_code": code}
    return Answer(told | {"debug_message": message, "display_message": message}, status)

"""TikTok for Business, report/integrated: pages by number, errors in answers of status 200."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["business-api.tiktok.com"]
VARIABLES = {"ACCESS_TOKEN": "sim-tiktok-access-token"}
_PATH = "/open_api/v1.3/report/integrated/get/"
_LEVELS = {"AUCTION_AD": ("ad", "ad_id"), "AUCTION_CAMPAIGN": ("campaign", "campaign_id")}
_DAYS, _PAGE = 30, 1000
_Row = dict[str, Any]
_METRICS: dict[str, Callable[[_Row], Any]] = {
    "ad_name": lambda row: row["ad_name"],
    "adgroup_id": lambda row: row["ad_group_id"],
    "adgroup_name": lambda row: row["ad_group_name"],
    "campaign_id": lambda row: row["campaign_id"],
    "campaign_name": lambda row: row["campaign_name"],
    "currency": lambda row: row["currency"],
    "spend": lambda row: f"{row['spend']:.2f}",
    "impressions": lambda row: str(row["impressions"]),
    "clicks": lambda row: str(row["clicks"]),
    "reach": lambda row: str(row["reach"]),
    "conversion": lambda row: f"{row['lead_click_7d']:.0f}",
    "real_time_conversion": lambda row: f"{row['lead_by_conversion_date']:.0f}",
    "total_purchase": lambda row: f"{row['purchase_click_7d']:.0f}",
    "total_purchase_value": lambda row: f"{row['purchase_value_click_7d']:.2f}",
}


def answer(asked: Asked, books: Books) -> Answer:
    """Answers a request."""
    if asked.path != _PATH or asked.method != "GET":
        return Answer("404 page not found", 404)
    if asked.headers.get("access-token") != VARIABLES["ACCESS_TOKEN"]:
        return _said(40105, "Access token is incorrect or has been revoked.")
    query = asked.query
    account = query.get("advertiser_id")
    if account not in {account.account_id for account in books.accounts("tiktok")}:
        return _said(40001, "No permission to operate advertiser")
    level, entity = _LEVELS.get(query.get("data_level", ""), ("", ""))
    if query.get("report_type") != "BASIC" or not level:
        return _said(40002, "data_level: Not a valid choice.")
    if json.loads(query.get("dimensions", "[]")) != [entity, "stat_time_day"]:
        return _said(40002, "dimensions: Not a valid choice.")
    metrics = json.loads(query.get("metrics", "[]"))
    if unknown := [name for name in metrics if name not in _METRICS]:
        return _said(40002, f"metrics: {unknown[0]} is not a valid choice.")
    first, last = (date.fromisoformat(query[name]) for name in ("start_date", "end_date"))
    if (last - first).days >= _DAYS:
        return _said(40002, f"the time span must not exceed {_DAYS} days")
    page, size = int(query.get("page", 1)), int(query.get("page_size", 10))
    if size > _PAGE:
        return _said(40002, f"page_size: must be at most {_PAGE}")
    size = books.page(size)
    rows = books.figures("tiktok", level, first, last, account)
    told = [
        {
            "dimensions": {entity: row[entity], "stat_time_day": f"{row['stat_date']} 00:00:00"},
            "metrics": {name: _METRICS[name](row) for name in metrics},
        }
        for row in rows[(page - 1) * size : page * size]
    ]
    info = {
        "page": page,
        "page_size": size,
        "total_number": len(rows),
        "total_page": -(-len(rows) // size),
    }
    return _said(0, "OK", {"list": told, "page_info": info})


def busy() -> Answer:
    """Too many calls: an answer of status 200 like any other."""
    return _said(40100, "Requests made too frequently, please retry later.")


def _said(code: int, message: str, data: _Row | None = None) -> Answer:
    return Answer({"code": code, "message": message, "request_id": "sim", "data": data or {}})

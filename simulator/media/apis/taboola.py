"""Taboola: client credentials, one answer of campaigns by day."""

import re
from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["backstage.taboola.com"]
VARIABLES = {"CLIENT_ID": "sim-taboola-client", "CLIENT_SECRET": "sim-taboola-client-secret"}
_TOKEN = "sim-taboola-access-token"
_API = "/backstage/api/1.0"
_REPORT = "/reports/campaign-summary/dimensions/campaign_day_breakdown"


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens and the summary of campaigns."""
    if asked.path == "/backstage/oauth/token":
        wanted = {"grant_type": "client_credentials"} | {k.lower(): v for k, v in VARIABLES.items()}
        if asked.method != "POST" or asked.form != wanted:
            return Answer({"error": "invalid_client"}, 401)
        return Answer({"access_token": _TOKEN, "token_type": "bearer", "expires_in": 43_200})
    if asked.headers.get("authorization") != f"Bearer {_TOKEN}" or books.expired("taboola token"):
        return _error("Unauthorized", 401)
    path = re.fullmatch(rf"{_API}/([\w-]+){_REPORT}", asked.path)
    if not path or path[1] not in {a.account_id for a in books.accounts("taboola")}:
        return _error("Resource not found", 404)
    try:
        first, last = (date.fromisoformat(asked.query[name]) for name in ("start_date", "end_date"))
    except (KeyError, ValueError):
        return _error("start_date and end_date are required, as yyyy-MM-dd", 400)
    if first > last:
        return _error("start_date is after end_date", 400)
    rows = [
        {
            "date": f"{row['stat_date']} 00:00:00.0",
            "campaign": row["campaign_id"],
            "campaign_name": row["campaign_name"],
            "currency": row["currency"],
            "spent": row["spend"],
            "impressions": row["impressions"],
            "clicks": row["clicks"],
            "cpa_actions_num": row["lead_click_28d"],
        }
        for row in books.figures("taboola", "campaign", first, last, path[1])
    ]
    told = {"timezone": "KST", "recordCount": len(rows), "results": rows}
    return Answer(told | {"last-used-rawdata-update-time": f"{books.today} 00:00:00.0"})


def _error(message: str, status: int) -> Answer:
    return Answer({"http_status": status, "message": message, "offending_field": None}, status)

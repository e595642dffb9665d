"""Outbrain Amplify: a token for name and password, figures of a campaign by day in pages."""

import re
from base64 import b64encode
from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.outbrain.com"]
VARIABLES = {"USERNAME": "ads@clinic.example", "PASSWORD": "sim-outbrain-password"}
_TOKEN = "sim-outbrain-ob-token"


def answer(asked: Asked, books: Books) -> Answer:
    """Tokens, the list of campaigns and their figures."""
    if asked.path == "/amplify/v0.1/login":
        pair = b64encode(f"{VARIABLES['USERNAME']}:{VARIABLES['PASSWORD']}".encode()).decode()
        if asked.method != "GET" or asked.headers.get("authorization") != f"Basic {pair}":
            return _error("Unauthorized", 401)
        return Answer({"OB-TOKEN-V1": _TOKEN})
    if asked.headers.get("ob-token-v1") != _TOKEN or books.expired("outbrain token"):
        return _error("Invalid token", 401)
    path = re.fullmatch(
        r"/amplify/v0\.1/(?:reports/marketers/(\w+)/periodic|marketers/(\w+)/campaigns)",
        asked.path,
    )
    account = path and (path[1] or path[2])
    if account not in {a.account_id for a in books.accounts("outbrain")}:
        return _error("Not found", 404)
    limit, offset = (int(asked.query.get(name, n)) for name, n in (("limit", 10), ("offset", 0)))
    if not 1 <= limit <= (100 if path[1] else 50) or offset < 0:
        return _error("limit is out of range", 400)
    # a page holds as many as asked for: whoever counts by limit would miss rows otherwise
    if path[2]:
        campaigns = [
            {"id": c["campaign_id"], "name": c["campaign_name"], "enabled": c["status"] == "active"}
            for c in books.entities("outbrain", "campaign", account)
        ]
        part = campaigns[offset : offset + limit]
        return Answer({"campaigns": part, "count": len(part), "totalCount": len(campaigns)})
    query = asked.query
    if query.get("breakdown") != "daily" or not {"from", "to", "campaignId"} <= query.keys():
        return _error("from, to, breakdown and campaignId are needed here", 400)
    first, last = date.fromisoformat(query["from"]), date.fromisoformat(query["to"])
    rows = [
        {
            "metadata": {"id": row["stat_date"], "fromDate": row["stat_date"],
                         "toDate": row["stat_date"]},
            "metrics": {
                "impressions": row["impressions"],
                "clicks": row["clicks"],
                "spend": row["spend"],
                "conversions": row["lead_click_28d"],
            },
        }
        for row in books.figures("outbrain", "campaign", first, last, account)
        if row["campaign_id"] == query["campaignId"]
    ]  # fmt: skip
    return Answer({"results": rows[offset : offset + limit], "totalResults": len(rows)})


def _error(message: str, status: int) -> Answer:
    return Answer({"message": message}, status)

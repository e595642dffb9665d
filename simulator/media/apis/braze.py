"""Braze: a list of campaigns in pages, and the days of each; every answer says how it went."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["rest.kr-01.braze.com"]
VARIABLES = {"API_KEY": "sim-braze-rest-api-key", "HOST": HOSTS[0]}
_MOST_DAYS = 100


def answer(asked: Asked, books: Books) -> Answer:
    """A page of campaigns, or a campaign's days."""
    if asked.headers.get("authorization") != f"Bearer {VARIABLES['API_KEY']}":
        return Answer({"message": "Invalid API key"}, 401)
    if asked.path == "/campaigns/list":
        return _list(int(asked.query.get("page", 0)), books)
    if asked.path == "/campaigns/data_series":
        return _series(asked.query, books)
    return Answer({"message": "Not found"}, 404)


def _list(page: int, books: Books) -> Answer:
    size = books.page(100)
    campaigns = [
        {
            "id": row["campaign_id"],
            "last_edited": "2026-01-05T01:02:03+00:00",
            "name": row["campaign_name"],
            "is_api_campaign": False,
            "tags": [row["channel"]],
        }
        for row in books.entities("braze", "campaign")
    ]
    return Answer({"message": "success", "campaigns": campaigns[page * size : (page + 1) * size]})


def _series(query: dict[str, str], books: Books) -> Answer:
    length = int(query["length"])
    if not 1 <= length <= _MOST_DAYS:
        return Answer({"message": "'length' must be between 1 and 100"}, 400)
    end = datetime.fromisoformat(query["ending_at"])
    if end.tzinfo is None:
        return Answer({"message": "'ending_at' must have a time zone"}, 400)
    last = end.astimezone(ZoneInfo("Asia/Seoul")).date()
    data = [
        {
            "time": row["stat_date"],
            "messages": {
                "ios_push": [{"variation_name": "all", "sent": row["impressions"] // 2}],
                "android_push": [{"variation_name": "all", "sent": -(-row["impressions"] // 2)}],
            },
            "unique_recipients": row["impressions"],
            "conversions": row["lead_by_conversion_date"],
            "conversions_by_send_time": row["lead_click_7d"],
            "revenue": row["purchase_value_click_7d"],
        }
        for row in books.figures("braze", "campaign", last - timedelta(days=length - 1), last)
        if row["campaign_id"] == query["campaign_id"]
    ]
    return Answer({"message": "success", "data": data})

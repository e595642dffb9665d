"""RTB House: one answer of rows; names that are asked for are joined by dashes."""

from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["api.panel.rtbhouse.com"]
VARIABLES = {"API_TOKEN": "sim-rtb-house-api-token"}
_FIELDS = {
    "impsCount": "impressions",
    "clicksCount": "clicks",
    "campaignCost": "spend",
    "conversionsCount": "purchase_click_28d",
    "conversionsValue": "purchase_value_click_28d",
}


def answer(asked: Asked, books: Books) -> Answer:
    """The rows of an advertiser's subcampaigns."""
    if asked.headers.get("authorization") != f"Token {VARIABLES['API_TOKEN']}":
        return _refused(401, "UNAUTHORIZED")
    hashes = [account.account_id for account in books.accounts("rtb_house")]
    if asked.path not in [f"/v5/advertisers/{name}/rtb-stats" for name in hashes]:
        return _refused(404, "NOT_FOUND")
    query = asked.query
    metrics = query["metrics"].split("-")
    if query["groupBy"] != "day-subcampaign" or {*metrics} - {*_FIELDS}:
        return _refused(422, "INVALID_PARAMETERS")
    # other conventions count other conversions, other offsets other days
    if (query.get("countConvention"), query.get("utcOffsetHours")) != ("ATTRIBUTED", "9"):
        return _refused(422, "INVALID_PARAMETERS")
    first, last = (date.fromisoformat(query[name]) for name in ("dayFrom", "dayTo"))
    account = asked.path.split("/")[3]
    data = [
        {
            "day": row["stat_date"],
            "subcampaign": row["campaign_name"],
            "subcampaignHash": row["campaign_id"],
        }
        | {name: row[_FIELDS[name]] for name in metrics}
        for row in books.figures("rtb_house", "campaign", first, last, account)
    ]
    return Answer({"status": "ok", "data": data}, headers={"X-Current-Api-Version": "v5"})


def _refused(status: int, code: str) -> Answer:
    return Answer({"status": "error", "appCode": code, "errors": {}}, status)


def busy() -> Answer:
    """The budget of work is used up."""
    said = _refused(429, "RESOURCE_USAGE_EXCEEDED")
    said.headers = {"Retry-After": "0", "X-Resource-Usage": "WORKER_TIME-3600=3600/3600"}
    return said

"""Kakao Moment: a business token, an account in a header, reports of at most five campaigns.

Reports leave today out; campaigns that send messages tell figures of their own.
"""

from datetime import date, datetime
from typing import Any

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["apis.moment.kakao.com"]
VARIABLES = {"ACCESS_TOKEN": "sim-kakao-moment-business-token"}
_MEDIUM = "kakao_moment"
_BASE = "/openapi/v4/"
_DAYS, _CAMPAIGNS = 31, 5
_LEVELS = {
    "CAMPAIGN": ("campaign", {"campaign_id": "campaign_id"}),
    "AD_GROUP": ("ad_group", {"ad_group_id": "ad_group_id"}),
    "CREATIVE": ("ad", {"ad_group_id": "ad_group_id", "creative_id": "ad_id"}),
}
_KINDS = {"participation": "lead", "signup": "signup", "purchase": "purchase"}


def busy() -> Answer:
    """A call within five seconds of the last."""
    said = {"code": -10, "msg": "API limit has been exceeded."}
    return Answer(said, 429, {"Retry-After": "0"})


def answer(asked: Asked, books: Books) -> Answer:
    """Answers for the campaigns and the reports of the account in the header."""
    if asked.headers.get("authorization") != f"Bearer {VARIABLES['ACCESS_TOKEN']}":
        return _wrong(401, "target biz token is not supplied.")
    account = asked.headers.get("adaccountid", "")
    if account not in {row.account_id for row in books.accounts(_MEDIUM)}:
        return _wrong(403, "no permission for the ad account")
    match asked.path.removeprefix(_BASE):
        case "campaigns":
            return _campaigns(asked.query, account, books)
        case "campaigns/report":
            return _of_campaigns(asked.query, account, books)
        case "adAccounts/report":
            return _of_account(asked.query, account, books)
    return _wrong(404, "not found")


def _wrong(status: int, message: str) -> Answer:
    extras = {"detailCode": status * 100, "detailMsg": message}
    return Answer({"code": -813, "msg": "KakaoMomentException", "extras": extras}, status)


def _campaigns(query: dict[str, str], account: str, books: Books) -> Answer:
    wanted = query.get("config", "ON,OFF").split(",")
    if not {"ON", "OFF", "DEL"}.issuperset(wanted):
        return _wrong(400, "config is not valid")
    content = [
        {"id": int(row["campaign_id"]), "name": row["campaign_name"], "config": state}
        for row in books.entities(_MEDIUM, "campaign", account)
        if (state := "ON" if row["status"] == "active" else "OFF") in wanted
    ]
    return Answer({"content": content})


def _days(query: dict[str, str]) -> tuple[date, date] | None:
    """First and last day asked for; None where the API would refuse them."""
    try:
        first, last = (datetime.strptime(query[n], "%Y%m%d").date() for n in ("start", "end"))
    except (KeyError, ValueError):
        return None
    fits = first <= last and (last - first).days < _DAYS and query.get("timeUnit") == "DAY"
    return (first, last) if fits else None


def _of_campaigns(query: dict[str, str], account: str, books: Books) -> Answer:
    campaigns, days = query.get("campaignId", "").split(","), _days(query)
    if query.get("level", "CAMPAIGN") not in _LEVELS or len(campaigns) > _CAMPAIGNS or not days:
        return _wrong(400, "campaignId, level, start or end is not valid")
    level, names = _LEVELS[query.get("level", "CAMPAIGN")]
    data = [
        _row(row, {theirs: row[ours] for theirs, ours in names.items()}, query)
        for row in books.figures(_MEDIUM, level, *days, account)
        if row["campaign_id"] in campaigns and row["stat_date"] < books.today
    ]
    return Answer({"code": 200, "message": "Success", "data": data})


def _row(row: dict[str, Any], dimensions: dict[str, str], query: dict[str, str]) -> dict[str, Any]:
    day, groups = f"{row['stat_date']:%Y%m%d}", query["metricsGroup"].split(",")
    metrics: dict[str, Any] = {"cost": row["spend"]}
    if row.get("channel") == "message":
        metrics |= _sent(row) if "MESSAGE" in groups else {}
    else:
        metrics |= _shown(row["impressions"], row["clicks"])
    if "ADDITION" in groups:
        metrics["reach"] = row["reach"]
    if "PIXEL_SDK_CONVERSION" in groups:
        metrics |= _conversions(row)
    return {"start": day, "end": day, "dimensions": dimensions, "metrics": metrics}


def _shown(impressions: int, clicks: int) -> dict[str, Any]:
    ctr = round(100 * clicks / impressions, 2) if impressions else 0
    return {"imp": impressions, "click": clicks, "ctr": ctr}


def _sent(row: dict[str, Any]) -> dict[str, Any]:
    opened = row["impressions"] * 6 // 10
    return {"msg_send": row["impressions"], "msg_open": opened, "msg_click": row["clicks"]}


def _conversions(row: dict[str, Any]) -> dict[str, Any]:
    counts = {
        f"conv_{theirs}_{window}": row[f"{ours}_click_{window}"]
        for theirs, ours in _KINDS.items()
        for window in ("1d", "7d")
    }
    values = {f"conv_purchase_p_{w}": row[f"purchase_value_click_{w}"] for w in ("1d", "7d")}
    return counts | values


def _of_account(query: dict[str, str], account: str, books: Books) -> Answer:
    """All of an account: what was shown and what was sent, side by side."""
    if (days := _days(query)) is None:
        return _wrong(400, "start or end is not valid")
    sent: dict[date, list[int]] = {}
    for row in books.figures(_MEDIUM, "campaign", *days, account):
        if row["channel"] == "message":
            so_far = sent.setdefault(row["stat_date"], [0, 0])
            so_far[:] = [so_far[0] + row["impressions"], so_far[1] + row["clicks"]]
    data = []
    for row in books.figures(_MEDIUM, "account", *days, account):
        if row["stat_date"] >= books.today:
            continue
        messages, taps = sent.get(row["stat_date"], (0, 0))
        said = _row(row, {"ad_account_id": account}, query)
        said["metrics"] |= _shown(row["impressions"] - messages, row["clicks"] - taps)
        if "MESSAGE" in query["metricsGroup"].split(","):
            said["metrics"] |= _sent({"impressions": messages, "clicks": taps})
        data.append(said)
    return Answer({"code": 200, "message": "Success", "data": data})

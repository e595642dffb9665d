"""Bank of Korea ECOS: all of a question in the path, errors in answers of status 200."""

from datetime import date

from simulator.media.figures import Books
from simulator.media.web import Answer, Asked

HOSTS = ["ecos.bok.or.kr"]
VARIABLES = {"API_KEY": "SIMECOSKEY0000000000"}
_ITEMS = {"0000001": ("USD", "원/미국달러(매매기준율)"), "0000002": ("JPY", "원/일본엔(100엔)")}
_MOST_ROWS = 100_000


def answer(asked: Asked, books: Books) -> Answer:
    """The rates of a currency, the oldest first."""
    parts = asked.path.strip("/").split("/")
    if len(parts) != 12 or parts[:2] != ["api", "StatisticSearch"]:
        return _refused("ERROR-100", "필수 값이 누락되어 있습니다.")
    key, form, _, begin, end, table, cycle, first, last, item = parts[2:]
    if key != VARIABLES["API_KEY"]:
        return _refused("INFO-100", "인증키가 유효하지 않습니다.")
    if int(end) - int(begin) >= _MOST_ROWS:
        return _refused("ERROR-301", "조회건수 값의 범위가 올바르지 않습니다.")
    days = (date.fromisoformat(first), date.fromisoformat(last))
    currency, name = _ITEMS.get(item, ("", ""))
    rows = [
        {
            "STAT_CODE": table,
            "STAT_NAME": "3.1.1.1. 주요국 통화의 대원화환율",
            "ITEM_CODE1": item,
            "ITEM_NAME1": name,
            "ITEM_CODE2": None,
            "ITEM_NAME2": None,
            "ITEM_CODE3": None,
            "ITEM_NAME3": None,
            "ITEM_CODE4": None,
            "ITEM_NAME4": None,
            "UNIT_NAME": "원",
            "WGT": None,
            "TIME": f"{row['rate_date']:%Y%m%d}",
            "DATA_VALUE": str(row["krw"]),
        }
        for row in books.rates(*days)
        if row["currency"] == currency
    ]
    if form.lower() != "json" or (table, cycle) != ("731Y001", "D") or not rows:
        return _refused("INFO-200", "해당하는 데이터가 없습니다.")
    page = rows[int(begin) - 1 : int(end)]
    return Answer({"StatisticSearch": {"list_total_count": len(rows), "row": page}})


def _refused(code: str, message: str) -> Answer:
    return Answer({"RESULT": {"CODE": code, "MESSAGE": message}})

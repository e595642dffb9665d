"""Files of media without an API, and the marketing team's own lists, as people drop them."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from simulator.files import BadLines, Tally, write_bytes
from simulator.media.catalogue import MEDIA, accounts
from simulator.media.figures import Books
from simulator.world import World

ADS, PLAN = "ads_drops", "marketing_plan"  # folders of a company, and sources
_TABLE = f"{ADS}.ads"
_KOREAN = (
    "날짜,광고계정ID,캠페인ID,캠페인명,광고그룹ID,광고그룹명,소재ID,소재명,통화,"
    "노출수,클릭수,광고비,전환수"
)
_ENGLISH = (
    "stat_date,account_id,campaign_id,campaign_name,ad_group_id,ad_group_name,ad_id,ad_name,"
    "currency,impressions,clicks,spend,conversions"
)
_IN_ENGLISH = {"nhn_ace"}
_IN_CP949 = {"mobon"}  # as Excel writes CSV in Korea
_WITH_BAD_LINE = "dable"


def write(world: World, out: Path, tally: Tally, books_of: Callable[[date], Books]) -> None:
    """Write one file a company day and medium without an API, and the plan's files.

    A file is of the morning after its day, and `books_of` tells what is known then. It re-reads
    the days that aren't final yet.
    """
    middle = world.start + timedelta(days=world.days // 2)
    bad = BadLines(
        tally,
        _TABLE,
        middle.isoformat() if world.is_founding else None,
        {"not_a_number": f"{middle},0,bad,bad,bad,bad,bad,bad,KRW,-,0,0,0\n".encode()},
    )
    for n in range((world.last - world.first).days + 1):
        day = world.first + timedelta(days=n)
        books = books_of(day + timedelta(days=1))
        for medium in MEDIA.values():
            if medium.lane == "file":
                extra = bad if medium.key == _WITH_BAD_LINE else None
                _write_ads(books, medium.key, out / ADS / medium.key, tally, extra)
        if day.day == 1 or day == world.start:
            _write_budgets(books, day.replace(day=1), out / PLAN, tally)
    if world.is_founding:
        rows = [
            (medium, account.account_id, account.name, account.currency, account.time_zone)
            for medium in MEDIA
            for account in accounts(medium)
        ]
        _write_list(out / PLAN / "accounts.csv", "매체,광고계정ID,광고계정명,통화,시간대", rows)
        tally.add("rows", f"{PLAN}.accounts", len(rows))


def _write_ads(books: Books, medium: str, folder: Path, tally: Tally, bad: BadLines | None) -> None:
    about, today = books.medium(medium), books.today
    first, last = max(books.start, today - timedelta(days=about.refetch)), today - timedelta(days=1)
    names = _ENGLISH.split(",")
    header = _ENGLISH if medium in _IN_ENGLISH else _KOREAN
    rows = books.figures(medium, "ad", first, last)
    lines = [
        ",".join(str((row | {"conversions": row[about.primary]})[name]) for name in names) + "\n"
        for row in rows
    ]
    planted = bad.take(today.isoformat()) if bad else []
    encoding = "cp949" if medium in _IN_CP949 else "utf-8"
    content = (f"{header}\n{''.join(lines)}".encode(encoding), *planted)
    name = f"{medium}_{today:%Y%m%d}_{first:%Y%m%d}_{last:%Y%m%d}.csv"
    write_bytes(folder / name, b"".join(content))
    tally.add("rows", _TABLE, len(lines) + len(planted))
    restated = sum(row["stat_date"] < last for row in rows)
    tally.add("dirt", f"{_TABLE}.restated", restated)


def _write_budgets(books: Books, month: date, folder: Path, tally: Tally) -> None:
    rows = [
        (f"{month:%Y-%m}", row["medium"], row["account_id"], row["budget_krw"])
        for row in books.budgets()
        if row["month"] == month
    ]
    _write_list(folder / f"budgets_{month:%Y-%m}.csv", "월,매체,광고계정ID,예산", rows)
    tally.add("rows", f"{PLAN}.budgets", len(rows))


def _write_list(path: Path, header: str, rows: list[tuple]) -> None:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    write_bytes(path, ("\n".join(lines) + "\n").encode())

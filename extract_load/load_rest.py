"""From a web API into raw: whole listings, by cursor, or windows of days kept side by side."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from extract_load.declaration import Source, Table
from extract_load.loader.conform import Landing
from extract_load.loader.move import Load
from extract_load.loader.warehouse import Counts
from extract_load.readers import ReadError
from extract_load.readers.files.file import File
from extract_load.readers.rest.grammar import Window
from extract_load.report import Run, TableReport

if TYPE_CHECKING:
    from extract_load.readers.rest.api import Api
    from extract_load.readers.rest.slice import Ask, Slice

_KOREA = ZoneInfo("Asia/Seoul")
_DAY = timedelta(days=1)


def load_table(source: Source, table: Table, run: Run, report: TableReport) -> Iterator[Counts]:
    from extract_load.readers.rest.api import Api  # with dlt: two seconds that others needn't pay

    assert table.endpoint is not None
    if table.deletes == "compare_keys":
        raise ReadError("deletes: compare_keys needs a database; without cursor all is compared")
    with Api(source, run.folder, run.folder.parent / "tokens") as api:
        load = _load_windows if table.endpoint.window else _load_listing
        yield from load(api, source, table, run, report)


def _load_listing(
    api: "Api", source: Source, table: Table, run: Run, report: TableReport
) -> Iterator[Counts]:
    """All rows, or those since the cursor, of all accounts at once."""
    from extract_load.readers.rest.slice import Ask, Slice

    again = run.reads_again(source, table)
    cursor = None if again else run.warehouse.cursor(source, table)
    since, until = cursor - table.lag if cursor else None, None
    if table.cursor and (run.since or run.until) and not again:
        since, until = run.since, run.until
    values = _incremental(table, since, until or run.now)
    asks = [
        Ask({"account": account, **values}, _filled(table, account_id=account), _told(account))
        for account in api.client.account_list
    ]
    complete = table.cursor is None
    with _landed(Slice(api, table, asks), source, run, report, whole=complete) as landing:
        reached = None
        if table.cursor and until is None:
            reached = run.furthest(landing.newest, run.warehouse.cursor(source, table))
        yield run.warehouse.commit(
            Load(run.run_id, source, table, landing, run.now, cursor_at=reached, complete=complete)
        )


@contextmanager
def _landed(
    part: "Slice", source: Source, run: Run, report: TableReport, whole: bool
) -> Iterator[Landing]:
    """A slice on disk, all of it. Where it is `whole` it may not be empty, unless declared so."""
    path = run.landing("rows")
    try:
        landing = run.lander.land(part.read(), part.table, path)
        part.check()
        report.undeclared |= part.undeclared
        try:
            run.refuse_empty(source, part.table, landing.read if whole else None)
        except ReadError as error:
            raise ReadError(f"{part.asks[0].told}: {error}".removeprefix(": ")) from None
        yield landing
    finally:
        path.unlink(missing_ok=True)


def _incremental(table: Table, since: datetime | None, until: datetime) -> dict[str, Any]:
    """What `{incremental.…}` is filled with."""
    settings = table.endpoint and table.endpoint.incremental
    if not settings:
        return {}

    def written(instant: datetime) -> str:
        instant = instant.replace(tzinfo=UTC)
        if settings.format in ("epoch", "epoch_ms"):
            return str(int(instant.timestamp()) * (1000 if settings.format == "epoch_ms" else 1))
        return instant.astimezone(ZoneInfo(table.time_zone)).strftime(settings.format)

    start = written(since) if since else settings.initial_value
    return {"incremental": {"start_value": start, "end_value": written(until)}}


def _load_windows(
    api: "Api", source: Source, table: Table, run: Run, report: TableReport
) -> Iterator[Counts]:
    """Each chunk of days of each account is an extraction of its own, kept beside earlier ones.

    The cursor says how far the newest pass came, so it also goes back, to where days are asked for
    again: a pass that breaks off there is taken up there, and no restated day is left out.
    """
    from extract_load.readers.rest.slice import Slice

    zone = ZoneInfo(table.time_zone) if "time_zone" in table.model_fields_set else _KOREA
    today = run.today or _day(run.now, zone)
    # the end of today on a calendar that isn't the clock's
    now = _midnight(today + _DAY, zone) - timedelta(seconds=1) if run.today else run.now
    window = api.endpoint(table).window
    assert window is not None
    accounts = api.client.account_list
    bounded = bool(run.since or run.until) and not run.reads_again(source, table)
    for first, last in _chunks(source, table, window, run, zone, today):
        for account in accounts:
            ask = _extraction(table, window, run, account, first, last, today)
            part = Slice(api, table, [ask], marked=table.empty == "marked")
            with _landed(part, source, run, report, whole=True) as landing:
                cursor = None
                if account == accounts[-1] and not bounded:
                    cursor = min(_midnight(last + _DAY, zone), now)
                size, seconds = landing.path.stat().st_size, run.now.replace(tzinfo=UTC).timestamp()
                file = File(landing.path, ask.file, size, int(seconds * 1e9), landing.checksum)
                yield run.warehouse.commit(
                    Load(
                        run.run_id,
                        source,
                        table,
                        landing,
                        run.now,
                        cursor_at=cursor,
                        files=(file,),
                    )
                )


def _extraction(
    table: Table, window: Window, run: Run, account: str, first: date, last: date, today: date
) -> "Ask":
    """What is asked of an account for some days; its file's name says all of that and when."""
    from extract_load.readers.rest.slice import Ask

    form = window.format
    days = f"{first:%Y%m%d}_{last:%Y%m%d}"
    parts = (table.name, account, days, f"{run.now:%Y%m%dT%H%M%S%f}")
    filled = _filled(
        table,
        extracted_on=f"{today:%Y%m%d}",
        window_from=f"{first:%Y%m%d}",
        window_to=f"{last:%Y%m%d}",
        account_id=account,
    )
    return Ask(
        {"account": account, "window": _days(first, last, form)},
        filled,
        ", ".join(filter(None, (_told(account), f"{first} to {last}"))),
        "/".join(filter(None, parts)),
    )


def _days(first: date, last: date, form: str) -> dict[str, str | int]:
    """What `{window.…}` is filled with."""
    days = {"from": first, "until": last, "after": last + _DAY}
    parts = {
        f"{name}_{part}": getattr(day, part)
        for name, day in days.items()
        for part in ("year", "month", "day")
    }
    count = {"days": (last - first).days + 1}
    return {name: f"{day:{form}}" for name, day in days.items()} | parts | count


def _chunks(
    source: Source, table: Table, window: Window, run: Run, zone: ZoneInfo, today: date
) -> Iterator[tuple[date, date]]:
    """First and last day of each chunk to be asked for, oldest first."""
    assert isinstance(window.since, date)  # a variable is filled in by now
    first, end = window.since, today - window.delay * _DAY
    if run.reads_again(source, table):
        pass
    elif run.since or run.until:  # Korean days, whatever the table's are
        first = _day(run.since, _KOREA) if run.since else first
        end = min(end, _day(run.until, _KOREA) - _DAY) if run.until else end
    elif cursor := run.warehouse.cursor(source, table):
        reached = _day(cursor, zone)
        loaded_at = run.warehouse.last_load(source, table)
        # after an outage, what was still young when it was last read is read again, too
        before = _day(loaded_at, zone) if loaded_at and not run.today else reached
        young = min(today, before + _DAY) - window.restates * _DAY
        first = max(first, min(reached, young))
    if window.keeps:
        first = max(first, today - (window.keeps - 1) * _DAY)
    while first <= end:
        last = min(first + (window.chunk - 1) * _DAY, end)
        yield first, last
        first = last + _DAY


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC without zone) at which a day begins."""
    return datetime.combine(day, time.min, zone).astimezone(UTC).replace(tzinfo=None)


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.replace(tzinfo=UTC).astimezone(zone).date()


def _filled(table: Table, **values: str) -> dict[str, str]:
    """Those of the reader's own columns that the table declares and takes from nowhere else."""
    assert table.endpoint is not None
    body = table.endpoint.body.columns if table.endpoint.body else []
    elsewhere = {*table.header.values(), *body}
    landed = {column.name for column in table.landed}
    return {
        name: value
        for name, value in values.items()
        if value and name in landed and name not in elsewhere
    }


def _told(account: str) -> str:
    return f"account {account}" if account else ""

"""Retention: what is past its table's period leaves raw, models and the published copy."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from extract_load import Source
from extract_load.loader.expiry import Expiry, children_first
from goodoc.build import BuildReport
from goodoc.erase import rebuild_from_raw
from goodoc.settings import Settings


class ExpireError(Exception):
    """Nothing was dropped; one line that says why."""


@dataclass
class ExpireReport:
    """What each table with a period dropped, or would drop; `kept_for_good` have none. Where the
    build is red, the marts and the published copy are as before."""

    expiries: list[Expiry]
    kept_for_good: list[str]
    built: BuildReport | None = field(default=None)

    @property
    def dropped(self) -> int:
        return sum(expiry.dropped for expiry in self.expiries)


def expire(
    settings: Settings,
    sources: dict[str, Source],
    is_trial: bool = False,
    may_drop_most: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExpireReport:
    """Drops rows past their period and builds and publishes all marts anew; a trial only counts.

    The caller holds the writer lock. Raises ExpireError, and drops nothing, where more than half of
    a table would go and `may_drop_most` isn't said: a clock may be wrong.
    """
    today = settings.today or (datetime.now(UTC) + timedelta(hours=9)).date()
    tables = children_first(
        [
            (source, table)
            for source in sources.values()
            for table in source.tables.values()
            if table.keep
        ]
    )
    kept_for_good = [
        f"{source.source}.{table.name}"
        for source in sources.values()
        for table in source.tables.values()
        if not table.keep
    ]
    with settings.open_warehouse() as warehouse:
        for source in sources.values():
            warehouse.prepare(source)
        run_id = uuid.uuid4().hex
        report = ExpireReport(
            [warehouse.expire(*pair, today, run_id, is_trial=True) for pair in tables],
            kept_for_good,
        )
        most = [each for each in report.expiries if each.dropped > each.kept]
        if most and not (is_trial or may_drop_most):
            raise ExpireError(_most(most[0], today))
        if is_trial:
            return report
        for pair in tables:
            warehouse.expire(*pair, today, run_id)
    if report.dropped:
        report.built = rebuild_from_raw(settings, sources, progress)
    return report


def _most(expiry: Expiry, today: date) -> str:
    return (
        f"nothing dropped: of {expiry.source}.{expiry.table} {expiry.dropped:,} rows would go and"
        f" {expiry.kept:,} stay; if {today} is the day, say --most"
    )

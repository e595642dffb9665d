"""Loading under the one writer lock; apart from `run`, so that it needs no dbt."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from extract_load import LoadReport, Source, TableReport, load
from extract_load.loader.lock import writer_lock
from goodoc.settings import Settings

_KOREA = timedelta(hours=9)


@contextmanager
def writing(
    settings: Settings, purpose: str, say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Holds the warehouse for one command; see extract_load.loader.lock.writer_lock."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with writer_lock(settings.home, purpose, settings.lock_wait, say):
        yield


def load_sources(
    settings: Settings,
    sources: Iterable[Source],
    since: date | None = None,
    until: date | None = None,
    replay: Iterable[tuple[str, str]] = (),
    progress: Callable[[TableReport, bool], None] | None = None,
) -> LoadReport:
    """Extract-load of the given sources; `since`/`until` are Korean days, both included."""
    midnight = datetime.min.time()
    with settings.open_warehouse() as warehouse:
        return load(
            sources,
            warehouse,
            settings.landing,
            settings.pseudonym_key(),
            since=datetime.combine(since, midnight) - _KOREA if since else None,
            until=datetime.combine(until + timedelta(days=1), midnight) - _KOREA if until else None,
            replay=replay,
            progress=progress,
        )

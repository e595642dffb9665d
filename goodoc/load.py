"""What all writing commands do: hold the lock, go on record. And loading, which needs no dbt."""

import getpass
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from extract_load import LoadReport, Source, TableReport, load
from extract_load.loader.lock import writer_lock
from goodoc.settings import Settings

_KOREA = timedelta(hours=9)


@dataclass
class Access:
    """A writing command on record; `outcome` is what its record will say at the end."""

    outcome: str = "done"


@contextmanager
def writing(
    settings: Settings, command: str, scope: str = "", say: Callable[[str], None] | None = None
) -> Iterator[Access]:
    """Holds the warehouse for one command; see extract_load.loader.lock.writer_lock.

    Who runs it and on what (`scope`) goes on record before it starts, and its outcome after.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    access = Access()
    with (
        writer_lock(settings.home, command, settings.lock_wait, say),
        _held_by_one_machine(settings, command),
    ):
        record_access(settings, command, scope, "started")
        try:
            yield access
        except BaseException:
            access.outcome = "failed"
            raise
        finally:
            record_access(settings, command, scope, access.outcome)


def _held_by_one_machine(settings: Settings, command: str) -> AbstractContextManager[None]:
    """On a server, other machines may want to write too; BigQuery refuses them at each load."""
    if settings.postgres is None:
        return nullcontext()
    from extract_load.loader.postgres_warehouse import held

    who = f"{command} on {socket.gethostname()} (process {os.getpid()})"
    return held(settings.postgres.url, who, settings.lock_wait)


def record_access(settings: Settings, command: str, scope: str, outcome: str) -> None:
    """Adds a row to the access log: when, who (GOODOC_ACTOR, else the login), from where, what."""
    actor = os.environ.get("GOODOC_ACTOR") or getpass.getuser()
    at = datetime.now(UTC).replace(tzinfo=None)
    with settings.open_warehouse() as warehouse:
        warehouse.record_access(at, actor, socket.gethostname(), command, scope, outcome)


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
            today=settings.today,
        )

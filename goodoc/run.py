"""The steps of the main job, each under the one writer lock: load, build, publish."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from extract_load import LoadReport, Source, TableReport, load
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
from extract_load.loader.lock import writer_lock
from goodoc.build import BuildReport, build
from goodoc.publish import PublishedMart, PublishError, publish
from goodoc.settings import Settings

_KOREA = timedelta(hours=9)


@dataclass
class RunReport:
    """What a whole run did. `published` is empty where a step failed, `why_not` says why."""

    loaded: LoadReport
    built: BuildReport
    published: list[PublishedMart]
    why_not: str | None = None

    @property
    def green(self) -> bool:
        return not self.loaded.failed and self.built.green and not self.why_not


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
    with DuckDBWarehouse(settings.warehouse) as warehouse:
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


def run(
    settings: Settings,
    sources: dict[str, Source],
    selected: Collection[str] = (),
    load_progress: Callable[[TableReport, bool], None] | None = None,
    build_progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> RunReport:
    """Load, build, publish. A failed table keeps its old rows; a red build publishes nothing."""
    say("load")
    wanted = [sources[name] for name in selected] if selected else list(sources.values())
    loaded = load_sources(settings, wanted, progress=load_progress)
    say("build")
    built = build(settings, sources, selected, progress=build_progress)
    if not built.green:
        return RunReport(loaded, built, [], f"nothing published: {built.failures[0]}")
    say("publish")
    try:
        return RunReport(loaded, built, publish(settings))
    except PublishError as error:
        return RunReport(loaded, built, [], str(error))

"""The whole job: load, build, publish. The caller holds the writer lock."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from extract_load import LoadReport, Source, TableReport
from goodoc.build import BuildReport, build
from goodoc.load import load_sources
from goodoc.publish import PublishedMart, PublishError, publish
from goodoc.settings import Settings


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

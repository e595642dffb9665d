"""Erasing people everywhere: raw, quarantine, models, the published copy."""

import shutil
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from extract_load import Source
from extract_load.loader.pseudonyms import MissingKeyError
from goodoc.build import BuildReport, build
from goodoc.publish import drop_earlier_releases, publish
from goodoc.settings import Settings


@dataclass
class EraseReport:
    """`rows` of `people` left raw. Where the build is red, the marts and the published copy are as
    before; where nobody was to be erased, nothing was built."""

    people: int
    rows: int
    built: BuildReport | None


def erase(
    settings: Settings,
    sources: dict[str, Source],
    members: Collection[str],
    requested: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> EraseReport:
    """Erases members, by their ids at the source, and with `requested` whoever asks for it in a
    source that was loaded; then builds and publishes all marts anew.

    Everything after raw is a function of raw, so only raw has to be searched. The caller holds the
    writer lock. Raises MissingKeyError without the key that their pseudonyms were made with.
    """
    key = settings.pseudonym_key()
    if key is None:
        raise MissingKeyError(
            "people are known by pseudonyms and there is no key: set GOODOC_PSEUDONYM_KEY_FILE"
        )
    with settings.open_warehouse() as warehouse:
        for source in sources.values():
            warehouse.prepare(source)
        tokens = {key.token(member) for member in members}
        if requested:
            tokens |= set(warehouse.erasure_requests(sources.values()))
        if not tokens:
            return EraseReport(0, 0, None)
        rows = warehouse.erase(tokens, list(sources.values()), uuid.uuid4().hex)
    return EraseReport(len(tokens), rows, rebuild_from_raw(settings, sources, progress))


def rebuild_from_raw(
    settings: Settings,
    sources: dict[str, Source],
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Builds and publishes everything anew after rows left raw, and drops what has them still:
    slices that landed, and the release that readers had before."""
    shutil.rmtree(settings.landing, ignore_errors=True)
    built = build(settings, sources, full_refresh=True, progress=progress)
    if built.green:
        publish(settings)
        drop_earlier_releases(settings)
    return built

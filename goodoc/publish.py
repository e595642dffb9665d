"""Makes the tested marts visible in one step, as a DuckDB file and as Parquet.

`published` is a link to a release folder; publishing writes a new folder and turns the link. A
reader sees the old release or the new one whole, and one that holds the old file open keeps it.
"""

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import duckdb
from dbt.contracts.graph.manifest import Manifest

from goodoc.build import built_marts, parse, red_marts
from goodoc.settings import Settings

# The oldest storage format that holds all we need; clients from DuckDB 1.0 on read it.
STORAGE_VERSION = "v1.0.0"
# Person keys stay in the warehouse: what BI tools read can't be joined person by person.
WITHHELD_PRIVACY = ("pseudonym", "free_text")


class PublishError(Exception):
    """Nothing was published; one line that says why."""


@dataclass(frozen=True)
class PublishedMart:
    """A mart as readers see it."""

    schema: str
    name: str
    rows: int


def publish(settings: Settings) -> list[PublishedMart]:
    """Publishes every built mart.

    Raises PublishError where a mart's last build failed or there is none.

    The caller holds the writer lock.
    """
    if red := red_marts(settings):
        name, why = next(iter(red.items()))
        raise PublishError(
            f"nothing published, the last build failed: {why} ({name} and {len(red) - 1} more)"
        )
    names = built_marts(settings)
    if not names:
        raise PublishError("nothing to publish yet: run `goodoc build` first")
    release = settings.home / "releases" / uuid.uuid4().hex
    release.mkdir(parents=True, mode=0o700)
    try:
        marts = _write(settings, release, set(names), parse(settings))
        _switch(settings.published, release)
    except BaseException:
        shutil.rmtree(release, ignore_errors=True)
        raise
    return marts


def _write(
    settings: Settings, release: Path, names: set[str], manifest: Manifest
) -> list[PublishedMart]:
    marts = []
    (release / "parquet").mkdir()
    with duckdb.connect(":memory:") as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        connection.execute(
            f"attach '{release / 'marts.duckdb'}' as release (storage_version '{STORAGE_VERSION}')"
        )
        models = [
            n for n in manifest.nodes.values() if n.resource_type == "model" and n.name in names
        ]
        for model in sorted(models, key=lambda node: (node.schema, node.name)):
            columns = [
                column
                for column in model.columns.values()
                if column.meta.get("privacy") not in WITHHELD_PRIVACY
            ]
            listed = ", ".join(f'"{column.name}"' for column in columns)
            table = f'release.{model.schema}."{model.name}"'
            connection.execute(f"create schema if not exists release.{model.schema}")
            connection.execute(
                f"create table {table} as"
                f' select {listed} from warehouse.{model.schema}."{model.name}"'
            )
            connection.execute(f"comment on table {table} is {_text(model.description)}")
            for column in columns:
                connection.execute(
                    f'comment on column {table}."{column.name}" is {_text(column.description)}'
                )
            folder = release / "parquet" / model.schema
            folder.mkdir(exist_ok=True)
            connection.execute(
                f"copy {table} to '{folder / model.name}.parquet'"
                " (format parquet, compression zstd)"
            )
            (rows,) = connection.execute(f"select count(*) from {table}").fetchone()
            marts.append(PublishedMart(model.schema, model.name, rows))
        connection.execute("detach release")
    return marts


def _switch(link: Path, release: Path) -> None:
    """Turns the link in one rename and removes releases that nobody can reach by name any more."""
    before = link.resolve() if link.is_symlink() else None
    fresh = link.with_name(f".{link.name}-{release.name}")
    fresh.symlink_to(os.path.relpath(release, link.parent))
    fresh.replace(link)
    for other in release.parent.iterdir():
        # the one before stays for readers that resolved the link a moment ago
        if other not in (release, before):
            shutil.rmtree(other, ignore_errors=True)


def _text(value: str) -> str:
    return "'" + " ".join((value or "").split()).replace("'", "''") + "'"

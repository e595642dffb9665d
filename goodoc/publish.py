"""Makes the tested marts visible to readers, in a copy that a build doesn't touch.

DuckDB: `published` is a link to a release folder; publishing writes a new one and turns the link.
Postgres: `published_<mart>` holds tables whose rows are all exchanged in one transaction. A reader
sees the old marts or the new ones whole, and one that holds the old ones open keeps them.
BigQuery: `published_<mart>` holds tables, each replaced in one step by a copy job.

Who may read which column is goodoc.privacy's: what is restricted has its own schema, dataset or
file.
"""

import os
import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from dbt.contracts.graph.nodes import ColumnInfo, ModelNode

from extract_load.loader.postgres_warehouse import (
    READER,
    RESTRICTED_READER,
    TRANSFORMER,
    PostgresWarehouse,
)
from extract_load.loader.warehouse import WarehouseError
from goodoc.build import built_marts, parse, red_marts
from goodoc.privacy import (
    RESTRICTED,
    is_restricted,
    is_to_the_hour,
    privacy,
    published_columns,
    published_description,
    published_schema,
)
from goodoc.settings import BigQuery, Postgres, Settings

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

# The oldest storage format that holds all we need; clients from DuckDB 1.0 on read it.
STORAGE_VERSION = "v1.0.0"


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
    names = set(built_marts(settings))
    if not names:
        raise PublishError("nothing to publish yet: run `goodoc build` first")
    marts = sorted(
        (
            n
            for n in parse(settings).nodes.values()
            if n.resource_type == "model" and n.name in names
        ),
        key=lambda node: (node.schema, node.name),
    )
    if settings.postgres:
        return _as_rows(settings.postgres, marts)
    if settings.bigquery:
        return _as_tables(settings.bigquery, marts)
    return _as_files(settings, marts)


def _names(mart: ModelNode) -> list[str]:
    return [column.name for column in published_columns(mart)]


def _listed(columns: list[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _selected(mart: ModelNode) -> str:
    """SQL of the published columns, as DuckDB and Postgres read it."""
    return ", ".join(
        f'date_trunc(\'hour\', "{column.name}") as "{column.name}"'
        if is_to_the_hour(column)
        else f'"{column.name}"'
        for column in published_columns(mart)
    )


def _comments(mart: ModelNode, relation: str) -> list[str]:
    """SQL that tells BI tools what the table and its columns mean."""
    return [
        f"comment on table {relation} is {_text(mart.description)}",
        *(
            f'comment on column {relation}."{column.name}" is'
            f" {_text(published_description(column))}"
            for column in published_columns(mart)
        ),
    ]


def _text(value: str) -> str:
    return "'" + " ".join((value or "").split()).replace("'", "''") + "'"


# -- DuckDB --------------------------------------------------------------------------------------


def _as_files(settings: Settings, marts: list[ModelNode]) -> list[PublishedMart]:
    release = settings.home / "releases" / uuid.uuid4().hex
    release.mkdir(parents=True, mode=0o700)
    try:
        published = _write(settings, release, marts)
        _switch(settings.published, release)
    except BaseException:
        shutil.rmtree(release, ignore_errors=True)
        raise
    return published


def _write(settings: Settings, release: Path, marts: list[ModelNode]) -> list[PublishedMart]:
    """Fills a release; `restricted/` in it is the owner's alone, whoever may read the rest."""
    published = []
    restricted = release / RESTRICTED
    restricted.mkdir()
    with duckdb.connect(":memory:") as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        for name, folder in (("release", release), (RESTRICTED, restricted)):
            (folder / "parquet").mkdir()
            connection.execute(
                f"attach '{folder / 'marts.duckdb'}' as {name}"
                f" (storage_version '{STORAGE_VERSION}')"
            )
        for mart in marts:
            database, root = ("release", release)
            if is_restricted(mart):
                database, root = (RESTRICTED, restricted)
            schema = published_schema(mart)
            table = f'{database}.{schema}."{mart.name}"'
            connection.execute(f"create schema if not exists {database}.{schema}")
            connection.execute(
                f"create table {table} as select {_selected(mart)}"
                f' from warehouse.{mart.schema}."{mart.name}"'
            )
            for comment in _comments(mart, table):
                connection.execute(comment)
            folder = root / "parquet" / schema
            folder.mkdir(exist_ok=True)
            connection.execute(
                f"copy {table} to '{folder / mart.name}.parquet' (format parquet, compression zstd)"
            )
            (rows,) = connection.execute(f"select count(*) from {table}").fetchone()
            published.append(PublishedMart(schema, mart.name, rows))
        connection.execute("detach release")
        connection.execute(f"detach {RESTRICTED}")
    if settings.reader_group:
        _let_read(settings, release, settings.reader_group)
    return published


def _let_read(settings: Settings, release: Path, group: str) -> None:
    """Lets a group of the machine read a release, except what is restricted."""
    try:
        shutil.chown(settings.home, group=group)
    except (LookupError, PermissionError):
        raise PublishError(
            f"nothing published: GOODOC_READER_GROUP is {group}, which is no group of this machine"
            " or none that this login may give files to"
        ) from None
    shutil.chown(release.parent, group=group)
    for folder in (settings.home, release.parent):
        folder.chmod(0o710)
    for path in (release, *release.rglob("*")):
        if RESTRICTED not in path.relative_to(release).parts:
            shutil.chown(path, group=group)
            path.chmod(0o750 if path.is_dir() else 0o640)


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


def drop_earlier_releases(settings: Settings) -> None:
    """Removes the release that publishing keeps for readers who opened it a moment ago."""
    if settings.published.is_symlink():
        for other in (settings.home / "releases").iterdir():
            if other != settings.published.resolve():
                shutil.rmtree(other, ignore_errors=True)


# -- Postgres ------------------------------------------------------------------------------------


def _as_rows(target: Postgres, marts: list[ModelNode]) -> list[PublishedMart]:
    """Rows are exchanged, not tables: that alone needs no lock that a reader's would hold up."""
    published = []
    with PostgresWarehouse(target.url, TRANSFORMER, read_only=True) as server:
        if not server.has_role(RESTRICTED_READER):
            raise PublishError(
                f"nothing published: Postgres has no role {RESTRICTED_READER}: `goodoc setup`"
                " makes it"
            )
        statements = _dropped(server, marts)
        for mart in marts:
            schema = f"published_{published_schema(mart)}"
            statements.append(f"create schema if not exists {schema}")
            statements.append(f"grant usage on schema {schema} to {_reader(mart)}")
        for mart in marts:
            statements += _exchanged(server, mart)
        try:
            server.transact(statements, "select 1")
        except WarehouseError as error:
            raise PublishError(f"nothing published: {error}") from None
        for mart in marts:
            server.query(f"vacuum (analyze) {_published_table(mart)}")
            ((rows,),) = server.query(f"select count(*) from {_published_table(mart)}")
            published.append(PublishedMart(mart.schema, mart.name, rows))
    return published


def _reader(mart: ModelNode) -> str:
    return RESTRICTED_READER if is_restricted(mart) else READER


def _published_table(mart: ModelNode) -> str:
    return f'published_{published_schema(mart)}."{mart.name}"'


def _dropped(server: PostgresWarehouse, marts: list[ModelNode]) -> list[str]:
    """SQL that takes away what is no mart any more."""
    kept = {(f"published_{published_schema(mart)}", mart.name) for mart in marts}
    there = {table for table in server.relations() if table[0].startswith("published_")}
    return [f'drop table {schema}."{name}"' for schema, name in sorted(there - kept)]


def _exchanged(server: PostgresWarehouse, mart: ModelNode) -> list[str]:
    """SQL that gives the published table the mart's rows; it is made anew for other columns."""
    columns, table = _names(mart), _published_table(mart)
    select = f'select {_selected(mart)} from {mart.schema}."{mart.name}"'
    statements = [f"delete from {table}"]
    if not _has_columns(server, mart):
        statements = [
            f"drop table if exists {table}",
            f"create table {table} as {select} with no data",
            *(
                f"create index on {table} ({_listed(index['columns'])})"
                for index in mart.config.get("indexes") or []
                if set(index["columns"]) <= set(columns)
            ),
        ]
    return [
        *statements,
        f"insert into {table} {select}",
        # columns, not the table: one that is added by hand is nobody's to read
        f"revoke all on {table} from {READER}, {RESTRICTED_READER}",
        f"grant select ({_listed(columns)}) on {table} to {_reader(mart)}",
        *_comments(mart, table),
    ]


def _has_columns(server: PostgresWarehouse, mart: ModelNode) -> bool:
    """Whether the published table, if any, has the mart's published columns in their types."""
    there, wanted = (
        server.query(
            "select cast(a.attname as text), format_type(a.atttypid, a.atttypmod)"
            " from pg_attribute as a where a.attrelid = to_regclass(?) and a.attnum > 0"
            " and not a.attisdropped order by a.attnum",
            [relation],
        )
        for relation in (_published_table(mart), f'{mart.schema}."{mart.name}"')
    )
    types = dict(wanted)
    return there == [(name, types[name]) for name in _names(mart)]


# -- BigQuery ------------------------------------------------------------------------------------


def _as_tables(target: BigQuery, marts: list[ModelNode]) -> list[PublishedMart]:
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.cloud import bigquery

    from extract_load.loader.bigquery_warehouse import connect

    client = connect(target.project, target.location, target.endpoint)
    limit = bigquery.QueryJobConfig(maximum_bytes_billed=target.max_bytes)
    published, ready = [], []
    try:
        for mart in marts:
            source = client.get_table(f"{target.project}.{mart.schema}.{mart.name}")
            columns = {column.name: column for column in published_columns(mart)}
            # made with its schema, so that descriptions and policy tags are there before any row
            copy = bigquery.Table(
                f"{target.project}.raw_landing.publish_{mart.name}_{uuid.uuid4().hex[:8]}",
                schema=[
                    _as_published(field, columns[field.name], mart)
                    for field in source.schema
                    if field.name in columns
                ],
            )
            copy.description, copy.labels = source.description, source.labels
            if source.time_partitioning:
                copy.time_partitioning = source.time_partitioning
            if clusters := [name for name in source.clustering_fields or [] if name in columns]:
                copy.clustering_fields = clusters
            copy.expires = datetime.now(UTC) + timedelta(days=1)
            client.create_table(copy)
            listed = ", ".join(f"`{field.name}`" for field in copy.schema)
            selected = ", ".join(
                f"timestamp_trunc(`{field.name}`, hour)"
                if is_to_the_hour(columns[field.name])
                else f"`{field.name}`"
                for field in copy.schema
            )
            filled = client.query(
                f"insert into `{copy.reference}` ({listed}) select {selected}"
                f" from `{source.reference}`",
                job_config=limit,
            )
            filled.result()
            schema = published_schema(mart)
            published.append(PublishedMart(schema, mart.name, filled.num_dml_affected_rows))
            ready.append((copy, f"{target.project}.published_{schema}.{mart.name}"))
        overwrite = bigquery.CopyJobConfig(write_disposition="WRITE_TRUNCATE")
        for copy, place in ready:
            client.copy_table(copy, place, job_config=overwrite).result()
            client.delete_table(copy)
            # the schema comes along with the rows, these don't
            there = client.get_table(place)
            there.description, there.labels = copy.description, copy.labels
            client.update_table(there, ["description", "labels"])
    except NotFound:
        raise PublishError("a dataset is missing on BigQuery: `goodoc setup` makes it") from None
    except GoogleAPIError as error:
        raise PublishError(f"BigQuery refused: {str(error).splitlines()[0]}") from None
    return published


def _as_published(field: "SchemaField", column: ColumnInfo, mart: ModelNode) -> "SchemaField":
    """A field, which can't be changed, as readers get it: counts of many people need no tag."""
    as_json = field.to_api_repr() | {"description": published_description(column)}
    if privacy(column) == "sensitive" and not is_restricted(mart):
        as_json.pop("policyTags", None)
    return type(field).from_api_repr(as_json)

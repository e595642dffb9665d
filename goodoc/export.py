"""Hands recommendations, the ranking or an audience to the app, or figures to whoever is outside:
versioned, whole or not at all.

What has people in it is held against consent as it was last loaded, not as it was last built. A
folder gets `<name>/<version>/` and the link `<name>/latest`, turned in one rename; a Postgres gets
a table a version in schema `goodoc_export` and a view, turned in one transaction. Earlier versions
go then, since they hold people who have withdrawn since.
"""

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from extract_load.loader.lock import LockedError, writer_lock
from extract_load.loader.warehouse import Warehouse, WarehouseError
from goodoc.build import red_marts
from goodoc.load import record_access
from goodoc.privacy import smallest_cells
from goodoc.settings import Settings

EXPORTS = ("recommendations", "ranking", "audience", "prescription_quality")
SCHEMA = "goodoc_export"
LEAST_PEOPLE = 20
CONSENT = "adults with marketing consent at export, none erased"
_NO_PEOPLE = "no people in it"
_FIGURES = "no people in it, no figure of fewer than {} people"
_MEMBERS = "intermediate.int_marketing__recommendation_members"
_MARTS = {
    "recommendations": ("marketing", "fct_recommendations"),
    "ranking": ("marketing", "fct_event_product_ranking"),
    "audience": ("marketing", "fct_recommendations"),
    "prescription_quality": ("prescription", "fct_prescription_quality_monthly"),
}
# By what an export may be narrowed, with an example of each.
_RULES = {
    "audience": {"region": "서울", "born": "1990-1999", "category": "피부"},
    "prescription_quality": {"region": "서울", "month": "2026-06"},
}
_VERSION = re.compile(r"[0-9]{8}t[0-9]{6}z_[0-9a-f]{6}")
_KEYWORDS = re.compile(r"\b(host|hostaddr|port|dbname|user|password)\s*=")
_BATCH = 100_000
_DECIMAL = pa.decimal128(38, 6)


class ExportError(Exception):
    """Nothing was exported; one line that says why."""


@dataclass(frozen=True)
class Export:
    """What is handed over: `rules` narrow an audience or figures, as in {"region": ["서울"]}."""

    what: str
    rules: dict[str, list[str]] = field(default_factory=dict)

    @property
    def consent(self) -> str:
        if self.what == "prescription_quality":
            return _FIGURES.format(smallest_cells()["outside"])
        return _NO_PEOPLE if self.what == "ranking" else CONSENT

    def __str__(self) -> str:
        rules = [f"{key}={'|'.join(values)}" for key, values in self.rules.items()]
        return " ".join([self.what, *rules])


@dataclass(frozen=True)
class ExportReport:
    """A finished export; `place` is without a password."""

    what: str
    version: str
    rows: int
    consent: str
    place: str


def parse_rules(what: str, texts: Sequence[str]) -> Export:
    """From `key=value` texts, as in region=서울. Raises ExportError."""
    if what not in EXPORTS:
        raise ExportError(f"there is no export {what!r}: it must be one of {', '.join(EXPORTS)}")
    known = _RULES.get(what, {})
    if texts and not known:
        raise ExportError(f"--where narrows {' or '.join(_RULES)}, not {what}")
    rules: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key not in known or not equals or not value.strip():
            examples = [f"{name}={example}" for name, example in known.items()]
            raise ExportError(
                f"{text!r} is no rule: write {', '.join(examples[:-1])} or {examples[-1]}"
            )
        rules.setdefault(key, []).append(value.strip())
    return Export(what, rules)


def place_of(to: str) -> str:
    """Where an export goes, for messages and records: without user, password and options.

    Raises ExportError for a Postgres in keywords: as a folder's name its password would be on
    record.
    """
    if "://" not in to:
        if _KEYWORDS.search(to):
            raise ExportError("name the Postgres by a URL, as in postgresql://app@db.internal/app")
        return str(Path(to).absolute())
    try:
        parts = urlsplit(to)
        host = parts.hostname or "socket"
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return "an address that is not understood"


def export(
    settings: Settings,
    wanted: Export,
    to: str,
    progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Exports to a folder or to the Postgres of a URL; `progress(rows, of all)` as rows are read.

    The caller holds the writer lock, so that no load changes consent meanwhile. Raises ExportError
    where the mart isn't built or its tests are red, a rule is unknown, or few people fit it.
    """
    place = place_of(to)
    target: _Target = _Server(to) if "://" in to else _Folder(Path(place))
    schema, mart = _MARTS[wanted.what]
    if why := red_marts(settings).get(mart):
        raise ExportError(f"nothing exported, the last build failed: {why}")
    version = f"{datetime.now(UTC):%Y%m%dt%H%M%Sz}_{uuid.uuid4().hex[:6]}"
    with target.held(wanted.what):
        with settings.open_warehouse(read_only=True) as warehouse:
            if (schema, mart) not in warehouse.relations():
                raise ExportError(f"{schema}.{mart} isn't there: run `goodoc build` first")
            query = _query(warehouse, wanted)
            ((total,),) = warehouse.query(f"select count(*) from ({query}) as counted")
            if wanted.what == "audience" and total < LEAST_PEOPLE:
                raise ExportError(f"fewer than {LEAST_PEOPLE} people fit: nothing exported")
            with open_rows(warehouse, query) as reader:
                rows = in_plain_types(reader, int(total), progress or (lambda done, of: None))
                written = target.write(wanted, version, rows)
        # on record before anybody can read it, whatever happens after
        record_access(
            settings,
            f"goodoc export {wanted.what}",
            f"{wanted}: {written} rows, {wanted.consent}, version {version}, to {place_of(to)}",
            "written",
        )
        target.turn(wanted, version, written)
    return ExportReport(wanted.what, version, written, wanted.consent, place_of(to))


# -- what is read --------------------------------------------------------------------------------


def _query(warehouse: Warehouse, wanted: Export) -> str:
    if wanted.what == "ranking":
        # places only: what a clinic pays us is none of the app's business
        return (
            "select event_product_id, as_of_date, sido_code, category, overall_rank, regional_rank"
            " from marketing.fct_event_product_ranking where is_on_sale"
        )
    if wanted.what == "prescription_quality":
        # rows of the mart, whatever they are narrowed by: two exports tell no more than it does
        rules = [f" and {_rule(warehouse, *rule)}" for rule in wanted.rules.items()]
        return (
            "select month_start_date, area_level, area_code, sido_code, hospital_id, measure,"
            " numerator, denominator, measure_value, is_suppressed, hospital_count"
            " from prescription.fct_prescription_quality_monthly as m"
            f" where audience = 'outside'{''.join(rules)}"
        )
    consenting = (
        f" inner join {_MEMBERS} as m on m.member_key = r.member_key"
        " left join raw_ledger.erased_people as e on e.token = r.member_key where e.token is null"
    )
    if wanted.what == "recommendations":
        names = (
            "member_key", "recommendation_rank", "event_product_id", "score",
            "reason_event_product_id", "is_back_off", "as_of_date", "model_version",
        )  # fmt: skip
        columns = ", ".join(f"r.{name}" for name in names)
        return f"select {columns} from marketing.fct_recommendations as r{consenting}"
    query = f"select r.member_key from {_MEMBERS} as r{consenting}"
    for key, values in wanted.rules.items():
        query += f" and {_rule(warehouse, key, values)}"
    return query


def _rule(warehouse: Warehouse, key: str, values: list[str]) -> str:
    """SQL condition of a rule over all of its values, each of which is known to the warehouse."""
    known = {
        "region": "select sido_code, 0 from core.dim_regions where ? in (sido_code, sido_name_ko)",
        "born": f"select birth_year_band, 0 from {_MEMBERS} where birth_year_band = ?",
        "category": "select category, max(case when is_sensitive then 1 else 0 end)"
        " from core.dim_event_products where category = ? group by category",
        "month": "select cast(month_start_date as {text}), 0"
        " from prescription.fct_prescription_quality_monthly"
        " where substring(cast(month_start_date as {text}), 1, 7) = ?".format(
            text=warehouse.types["string"]
        ),
    }[key]
    found = []
    for value in values:
        rows = warehouse.query(f"select distinct * from ({known}) as k", [value])
        if not rows or "'" in value or "\\" in value:
            raise ExportError(f"nothing can be told apart by {key}={value}: there is no such {key}")
        if rows[0][1]:
            raise ExportError(f"{key}={value} is sensitive: no audience is made of it")
        found.append(f"'{rows[0][0]}'")
    listed = ", ".join(found)
    if key == "month":
        return f"m.month_start_date in ({', '.join(f'cast({day} as date)' for day in found)})"
    if key != "category":
        return f"m.{'sido_code' if key == 'region' else 'birth_year_band'} in ({listed})"
    return (
        "r.member_key in (select i.member_key from intermediate.int_marketing__item_interests as i"
        " inner join core.dim_event_products as p on p.event_product_id = i.event_product_id"
        f" where i.is_recent and p.category in ({listed}))"
    )


@contextmanager
def open_rows(warehouse: Warehouse, query: str) -> Iterator[pa.RecordBatchReader]:
    """The rows of a query in batches, so that memory stays bounded."""
    if hasattr(warehouse, "client"):  # BigQuery
        rows = warehouse.client.query(query).result(page_size=_BATCH)
        batches = rows.to_arrow_iterable()
        first = next(batches, None)
        if first is None:
            yield rows.to_arrow(create_bqstorage_client=False).to_reader()
            return
        everything = (batch for some in ([first], batches) for batch in some)
        yield pa.RecordBatchReader.from_batches(first.schema, everything)
        return
    if hasattr(warehouse.connection, "sql"):  # DuckDB
        yield warehouse.connection.sql(query).to_arrow_reader(_BATCH)
        return
    with warehouse.connection.cursor() as cursor:
        cursor.execute(query)
        yield cursor.fetch_record_batch()


def in_plain_types(
    reader: pa.RecordBatchReader, total: int, progress: Callable[[int, int], None]
) -> pa.RecordBatchReader:
    """The same rows in the same types from every engine; `progress(rows, of all)` as they pass."""
    schema = pa.schema([pa.field(each.name, _plain(each)) for each in reader.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in reader:
            yield pa.record_batch(
                [
                    column.cast(kind)
                    for column, kind in zip(batch.columns, schema.types, strict=True)
                ],
                schema=schema,
            )
            done += batch.num_rows
            progress(done, total)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _plain(column: pa.Field) -> pa.DataType:
    """Postgres' driver hands decimals over as text, and says so beside it."""
    metadata = column.metadata or {}
    if pa.types.is_decimal(column.type) or metadata.get(b"ADBC:postgresql:typname") == b"numeric":
        return _DECIMAL
    if pa.types.is_timestamp(column.type):
        return pa.timestamp("us")
    if pa.types.is_large_string(column.type):
        return pa.string()
    return column.type


# -- where it goes -------------------------------------------------------------------------------


class _Target(Protocol):
    def held(self, name: str) -> AbstractContextManager[None]:
        """Keeps other exports of this name out."""

    def write(self, wanted: Export, version: str, rows: pa.RecordBatchReader) -> int:
        """Writes a version that nobody is pointed to yet; its rows."""

    def turn(self, wanted: Export, version: str, rows: int) -> None:
        """Points readers to the version in one step, and drops all others."""


@dataclass(frozen=True)
class _Folder:
    root: Path

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        with self._told():
            (self.root / name).mkdir(parents=True, exist_ok=True)
        with writer_lock(self.root / name, f"goodoc export {name}", 0):
            yield

    def write(self, wanted: Export, version: str, rows: pa.RecordBatchReader) -> int:
        with self._told():
            folder = self.root / wanted.what / f".{version}"
            folder.mkdir()
            with pq.ParquetWriter(folder / f"{wanted.what}.parquet", rows.schema) as file:
                written = 0
                for batch in rows:
                    file.write_batch(batch)
                    written += batch.num_rows
            about = {
                "export": wanted.what, "version": version, "rows": written,
                "rules": wanted.rules, "consent": wanted.consent,
            }  # fmt: skip
            (folder / "manifest.json").write_text(json.dumps(about, ensure_ascii=False, indent=1))
            # who may read the folder may read what is put there
            others = self.root.stat().st_mode & 0o055
            for path in (folder, *folder.iterdir()):
                path.chmod(path.stat().st_mode | (others if path.is_dir() else others & 0o044))
                _settle(path)
            folder.rename(folder.with_name(version))
            return written

    def turn(self, wanted: Export, version: str, rows: int) -> None:
        with self._told():
            folder = self.root / wanted.what
            fresh = folder / f".latest-{version}"
            fresh.symlink_to(version)
            fresh.replace(folder / "latest")
            _settle(folder)
            for other in folder.iterdir():
                name = other.name.removeprefix(".").removeprefix("latest-")
                if _VERSION.fullmatch(name) and other.name != version:
                    other.unlink() if other.is_symlink() else shutil.rmtree(other)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ExportError(f"can't write to {self.root}: {error.strerror}") from None


def _settle(path: Path) -> None:
    """Waits until the disk has it, so that a name never stands without its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Server:
    """The app's Postgres, as the URL's login, which makes and owns schema `goodoc_export`."""

    def __init__(self, url: str):
        if urlsplit(url).scheme not in ("postgresql", "postgres"):
            raise ExportError(f"{place_of(url)}: --to is a folder or postgresql://…")
        self.url = url

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        from extract_load.loader.postgres_warehouse import PostgresWarehouse

        try:
            self.server = PostgresWarehouse(self.url, role=None, read_only=True)
        except WarehouseError as error:
            raise ExportError(str(error).partition("; set ")[0]) from None
        with self.server as server:
            mine = f"select pg_try_advisory_lock(hashtext('{SCHEMA}.{name}'))"
            if not server.query(mine)[0][0]:
                raise LockedError(f"another export of {name} runs: try again later")
            server.query("set lock_timeout = '60s'")
            yield

    def write(self, wanted: Export, version: str, rows: pa.RecordBatchReader) -> int:
        table = f"{wanted.what}_{version}"
        self.server.query(f"create schema if not exists {SCHEMA}")
        self.server.query(
            f"create table if not exists {SCHEMA}.versions (export text primary key, version text,"
            " exported_at timestamp, row_count bigint, rules text, consent text)"
        )
        columns = ", ".join(f'"{each.name}" {_postgres(each.type)}' for each in rows.schema)
        self.server.query(f'create table {SCHEMA}."{table}" ({columns})')
        with self.server.connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="append", db_schema_name=SCHEMA)
        key = "member_key" if "member_key" in rows.schema.names else rows.schema.names[0]
        self.server.query(f'create index on {SCHEMA}."{table}" ("{key}")')
        self.server.query(f'analyze {SCHEMA}."{table}"')
        return self.server.query(f'select count(*) from {SCHEMA}."{table}"')[0][0]

    def turn(self, wanted: Export, version: str, rows: int) -> None:
        name, table = wanted.what, f"{wanted.what}_{version}"
        there = self.server.query(
            "select cast(c.relname as text) from pg_class as c join pg_namespace as n"
            " on n.oid = c.relnamespace where n.nspname = ? and c.relkind = 'r'", [SCHEMA]
        )  # fmt: skip
        old = [
            each for (each,) in there
            if each != table and each.startswith(f"{name}_")
            and _VERSION.fullmatch(each.removeprefix(f"{name}_"))
        ]  # fmt: skip
        rules = str(wanted).replace("'", "''")
        self.server.transact(
            [
                f'create or replace view {SCHEMA}."{name}" as select * from {SCHEMA}."{table}"',
                f"delete from {SCHEMA}.versions where export = '{name}'",
                f"insert into {SCHEMA}.versions values ('{name}', '{version}',"
                f" timezone('UTC', now()), {rows}, '{rules}', '{wanted.consent}')",
                *(f'drop table {SCHEMA}."{each}"' for each in old),
            ],
            "select 1",
        )


def _postgres(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return "numeric(38, 6)"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_boolean(kind):
        return "boolean"
    return "bigint" if pa.types.is_integer(kind) else "text"

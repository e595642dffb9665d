"""From what a reader saw to what may land: one set-based pass per slice, in DuckDB.

A batch that arrives here has the declared columns (as text, or typed where the source is typed),
and where it comes from files `_file` and `_line`; `_error` and `_text` mark a row that the reader
could not take apart. The pass casts strictly, checks keys, clocks and resident numbers, replaces
direct identifiers, and writes one Parquet file: accepted rows, and rejected rows with their reason.
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from extract_load.declaration import Column, Table
from extract_load.loader.pseudonyms import (
    PseudonymKey,
    has_resident_number,
    masked,
    shape,
    token,
    without_contacts,
)

# How far a clock may run ahead before a row counts as one from the future.
TOLERANCE = timedelta(days=1)

SQL_TYPES = {
    "string": "varchar",
    "bigint": "bigint",
    "numeric": "decimal(38, 9)",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_TEXT_SHAPES = {
    "bigint": r"^-?(0|[1-9][0-9]{0,18})$",
    "numeric": r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?$",
    "boolean": r"^(0|1|t|f|true|false|y|n|yes|no)$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
        r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
    ),
}


@dataclass(frozen=True)
class Landing:
    """A slice on disk, ready to be moved into raw. `read` counts its rows, rejected ones too;
    `newest` is the greatest cursor value among the accepted rows, None without cursor or rows.
    """

    path: Path
    read: int
    newest: datetime | None
    checksum: str


class Lander:
    """Writes slices to landing files; one in-memory DuckDB for all of a run's slices.

    `now` is UTC without zone; rows whose checked instant lies beyond it by more than a day are
    rejected. Memory stays bounded: a slice streams through. Use as a context manager.
    """

    def __init__(self, folder: Path, key: PseudonymKey | None, now: datetime):
        self.folder, self.key, self.now = folder, key, now

    def __enter__(self) -> "Lander":
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set timezone = 'UTC'")
        self._connection.execute("set enable_progress_bar = false")  # it would print to stdout
        self._connection.execute("set preserve_insertion_order = false")
        self._connection.execute("set memory_limit = '2GB'")
        self._connection.execute(f"set temp_directory = '{self.folder}'")
        if self.key is not None:
            self.key.install(self._connection)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def land(self, batches: pa.RecordBatchReader, table: Table, path: Path) -> Landing:
        """Writes the slice to `path` (Parquet, mode 0600) and returns its counts and SHA-256."""
        schema = {name: batches.schema.field(name).type for name in batches.schema.names}
        self._connection.register("batches", batches)
        query = _conforming_query(table, schema, self.now, self.key)
        try:
            copy = f"copy ({query}) to '{path}' (format parquet, compression zstd)"
            self._connection.execute(copy).fetchall()
        finally:
            self._connection.unregister("batches")
        newest = f'max("{table.cursor}") filter (where _reason is null)' if table.cursor else "null"
        ((read, newest_at),) = self._connection.execute(
            f"select count(*), {newest} from read_parquet('{path}')"
        ).fetchall()
        os.chmod(path, 0o600)
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        return Landing(path, read, newest_at, checksum)


def _conforming_query(
    table: Table, schema: dict[str, pa.DataType], now: datetime, key: PseudonymKey | None
) -> str:
    columns = [column for column in table.landed if column.name in schema]
    typed = [f'{_typed(column, schema, table)} as "{column.name}__typed"' for column in columns]
    bookkeeping = [name for name in ("_file", "_line", "_error", "_text") if name in schema]
    landed = []
    for column in columns:
        value = f"case when _accepted then {_private(column)} end"
        if column.name in table.key:
            # a rejected row keeps its key, so that it isn't taken for one that vanished
            value = _without_nul(_private(column)) if _lands_text(column) else _private(column)
        landed.append(f'{value} as "{column.name}"')
    if table.has_pseudonyms and key is not None:
        landed.append(f"'{key.version}' as _key_version")
    parts = ", ".join(_private(column) for column in columns if column.name in table.key)
    key_text = _without_nul(f"concat_ws('|', {parts})") if parts else "cast(null as varchar)"
    reasons = ", ".join(_reasons(columns, schema, table, now))
    return f"""
    with typed as (
        select
            {", ".join([*(f'"{c.name}"' for c in columns), *bookkeeping, *typed])},
            {_everything(columns, schema)} as _everything,
            {_scanned(columns, schema, table)} as _scanned
        from batches
    ),
    judged as (
        select
            *,
            nullif(concat_ws('; ', {reasons}), '') as _reason
        from typed
    ),
    decided as (select *, _reason is null as _accepted from judged)
    select
        {", ".join(landed)},
        {"_file, _line," if "_file" in schema else ""}
        _reason,
        case when not _accepted then {_without_nul(_rejected_row(columns, schema))} end as _row,
        {key_text} as _key
    from decided
    """


def _everything(columns: list[Column], schema: dict[str, pa.DataType]) -> str:
    texts = [f'"{column.name}"' for column in columns if _is_text(schema[column.name])]
    return f"concat({', '.join(texts)})" if texts else "''"


def _scanned(columns: list[Column], schema: dict[str, pa.DataType], table: Table) -> str:
    """SQL for all that is searched for resident numbers: texts, and numbers long enough."""
    parts = []
    for column in columns:
        kind, name = schema[column.name], f'"{column.name}"'
        if column.name in table.unscanned:
            continue
        if _is_text(kind):
            parts.append(name)
        elif pa.types.is_integer(kind):
            # one that was stored as a number may have lost its leading zero
            parts.append(
                f"case when {name} > 99999999999 then lpad(cast({name} as varchar), 13, '0') end"
            )
    return f"concat_ws(chr(10), {', '.join(parts)})" if parts else "''"


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)


def _typed(column: Column, schema: dict[str, pa.DataType], table: Table) -> str:
    """SQL for the value in its declared type, null where it doesn't have that type exactly."""
    kind, value, target = schema[column.name], f'"{column.name}"', SQL_TYPES[column.type]
    if column.type == "string":
        return f"cast({value} as varchar)"
    if not _is_text(kind):
        if column.type == "timestamp" and pa.types.is_timestamp(kind):
            return _utc(value if kind.tz else f"{value} at time zone '{table.time_zone}'")
        if column.type == "bigint" and not pa.types.is_integer(kind):
            return f"case when {value} = trunc({value}) then try_cast({value} as bigint) end"
        return f"try_cast({value} as {target})"
    fits = f"regexp_matches({value}, '{_TEXT_SHAPES[column.type]}')"
    if column.type == "boolean":
        fits = fits.replace(value, f"lower({value})")
    if column.type != "timestamp":
        return f"case when {fits} then try_cast({value} as {target}) end"
    zoned = f"regexp_matches({value}, '(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
    local = f"try_cast({value} as timestamp)"
    if table.time_zone != "UTC":
        local = _utc(f"{local} at time zone '{table.time_zone}'")
    # the date part alone ends like an offset (…-29), hence the length
    offset = f"{zoned} and length({value}) > 16"
    instant = _utc(f"try_cast({value} as timestamptz)")
    return f"case when {fits} then case when {offset} then {instant} else {local} end end"


def _utc(instant: str) -> str:
    return f"({instant}) at time zone 'UTC'"


def _reasons(
    columns: list[Column], schema: dict[str, pa.DataType], table: Table, now: datetime
) -> list[str]:
    """SQL texts, each null or one reason to reject the row. Reasons name columns, never values."""
    reasons = ["_error"] if "_error" in schema else []
    for column in columns:
        name = column.name
        if column.type != "string":
            reasons.append(
                f'case when "{name}" is not null and "{name}__typed" is null'
                f" then '{name} is no {column.type}' end"
            )
        if column.name in table.key:
            unread = "_error is null and " if "_error" in schema else ""
            reasons.append(f"case when {unread}\"{name}\" is null then 'key {name} is missing' end")
    if instant := table.checked_instant:
        limit = (now + TOLERANCE).isoformat(" ")
        reasons.append(
            f"case when \"{instant}__typed\" > timestamp '{limit}'"
            f" then '{instant} lies in the future' end"
        )
    return [
        *reasons,
        "case when contains(_everything, chr(65533)) then 'bytes that the encoding lacks' end",
        "case when contains(_everything, chr(0)) then 'a NUL character' end",
        f"case when {has_resident_number('_scanned')} then 'a resident registration number' end",
    ]


def _private(column: Column) -> str:
    """SQL for what lands of an accepted row's column."""
    value = f'"{column.name}__typed"'
    if column.privacy == "pseudonym":
        value = token(column, value)
    elif column.privacy == "birth_year":
        value = f"cast(date_trunc('year', {value}) as date)"
    elif column.privacy == "free_text":
        value = without_contacts(value)
    return value


def _lands_text(column: Column) -> bool:
    return column.type == "string" or column.privacy == "pseudonym"


def _without_nul(text: str) -> str:
    """SQL for a text of a rejected row that every engine can store."""
    return f"replace({text}, chr(0), '')"


def _rejected_row(columns: list[Column], schema: dict[str, pa.DataType]) -> str:
    """SQL for a rejected row as JSON text without direct identifiers."""
    fields = []
    for column in columns:
        value = f'"{column.name}"'
        if column.privacy == "pseudonym":
            value = token(column, value)
        if column.privacy != "birth_year":
            fields.append(f'"{column.name}" := {value}')
    row = masked(f"cast(to_json(struct_pack({', '.join(fields)})) as varchar)")
    if "_text" not in schema:
        return row
    return f"case when _text is null then {row} else {shape('_text')} end"

"""From what a reader saw to what may land: one set-based pass per slice, in DuckDB.

Rows that arrive here have the declared columns (as text, or typed where the source is typed), and
where they come from files `_file` and `_line`; `_error` and `_text` mark a row that the reader
could not take apart. The pass casts strictly, checks keys, clocks and resident numbers, replaces
direct identifiers, and writes one Parquet file: accepted rows, and rejected rows with a reason.
"""

import hashlib
import os
from collections.abc import Iterable
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
    without_resident_numbers,
)
from extract_load.readers.scan import Scan

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
_INSTANT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
)
# What lands in a hurry and is read once: nothing is spent on packing it tightly.
_RESIDENT_NUMBER = "a resident registration number"
_PARQUET = (
    "format parquet, compression snappy, dictionary_size_limit 2000, write_bloom_filter false"
)


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

    def land(self, rows: pa.RecordBatchReader | Scan, table: Table, path: Path) -> Landing:
        """Writes the slice to `path` (Parquet, mode 0600) and returns its counts and SHA-256."""
        scan = rows if isinstance(rows, Scan) else Scan("select * from batches", rows)
        try:
            self._write(scan, table, path)
        except duckdb.Error:
            if scan.otherwise is None:
                raise
            return self.land(scan.otherwise(), table, path)
        newest = f'max("{table.cursor}") filter (where _reason is null)' if table.cursor else "null"
        ((read, newest_at),) = self._connection.execute(
            f"select count(*), {newest} from read_parquet('{path}')"
        ).fetchall()
        os.chmod(path, 0o600)
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        return Landing(path, read, newest_at, checksum)

    def _write(self, scan: Scan, table: Table, path: Path) -> None:
        if scan.batches is not None:
            self._connection.register("batches", scan.batches)
        try:
            described = self._connection.execute(f"describe {scan.query}").fetchall()
            schema = {name: kind for name, kind, *_ in described}
            query = _conforming_query(scan, table, schema, self.now, self.key)
            self._connection.execute(f"copy ({query}) to '{path}' ({_PARQUET})").fetchall()
        finally:
            self._connection.unregister("batches")


def _conforming_query(
    scan: Scan, table: Table, schema: dict[str, str], now: datetime, key: PseudonymKey | None
) -> str:
    """The one query that all rows pass through; `schema` has the scan's columns and their types."""
    columns = [column for column in table.landed if column.name in schema]
    # hashing costs the most: where the rows can be read twice, each value is hashed once
    repeating = [c for c in columns if c.privacy == "pseudonym" and scan.batches is None]
    private = {c.name: _private(c) for c in columns}
    tokens, joins, joined = "", "", ""
    for column in repeating:
        name, value = f'"{column.name}__token"', f'"{column.name}__typed"'
        distinct = f"(select distinct {value} as value from typed) as v"
        tokens += f"{name} as (select value, {token(column, 'value')} as token from {distinct}),"
        joins += f" left join {name} on {name}.value = typed.{value}"
        joined += f", {name}.token as {name}"
        private[column.name] = name
    landed = {c.name: f"case when _accepted then {private[c.name]} end" for c in columns}
    for column in columns:
        if column.name in table.key:
            # a rejected row keeps its key, so that it isn't taken for one that vanished
            text = private[column.name]
            landed[column.name] = _without_nul(text) if _lands_text(column) else text
    if table.has_pseudonyms and key is not None:
        landed["_key_version"] = f"'{key.version}'"
    landed |= {name: name for name in ("_file", "_line") if name in schema}
    landed["_reason"] = "_reason"
    landed["_row"] = (
        f"case when not _accepted then {_without_nul(_rejected_row(columns, schema))} end"
    )
    keys = ", ".join(private[column.name] for column in columns if column.name in table.key)
    landed["_key"] = _key_text(keys) if keys else "cast(null as varchar)"
    final = "select * from landed"
    if not table.key and "_file" not in schema:
        landed["_content"] = f"case when _accepted then {_digest(private.values())} end"
        # rows that say the same are told apart by how many have said so before
        number = "case when _reason is null then row_number() over (partition by _content) end"
        final = f"""
            select * replace (_content || '|' || _occurrence as _key)
            from (select *, {number} as _occurrence from landed) as numbered"""
    typed = ", ".join(f'{_typed(c, schema, table)} as "{c.name}__typed"' for c in columns)
    reasons = ", ".join(_reasons(columns, schema, table, now))
    return f"""
    with taken as not materialized ({scan.query}),
    typed as not materialized (select *, {typed} from taken),
    {tokens}
    judged as (
        select typed.*{joined}, nullif(concat_ws('; ', {reasons}), '') as _reason
        from typed{joins}
    ),
    decided as (select *, _reason is null as _accepted from judged),
    landed as (
        select {", ".join(f'{value} as "{name}"' for name, value in landed.items())} from decided
    )
    {final}
    """


def _is_text(kind: str) -> bool:
    return kind in ("VARCHAR", '"NULL"')


def _typed(column: Column, schema: dict[str, str], table: Table) -> str:
    """SQL for the value in its declared type, null where it doesn't have that type exactly."""
    kind, value, target = schema[column.name], f'"{column.name}"', SQL_TYPES[column.type]
    if column.type == "string":
        return f"cast({value} as varchar)"
    if not _is_text(kind):
        if column.type == "timestamp" and kind.startswith("TIMESTAMP"):
            zoned = kind.endswith("WITH TIME ZONE")
            return _utc(value if zoned else f"{value} at time zone '{table.time_zone}'")
        if column.type == "bigint" and "INT" not in kind:
            return f"case when {value} = trunc({value}) then try_cast({value} as bigint) end"
        return f"try_cast({value} as {target})"
    exact = f"try_cast({value} as {target})"
    if column.type == "timestamp":
        return _typed_instant(value, table)
    if column.type == "boolean":
        fits = f"lower({value}) in ('0', '1', 't', 'f', 'true', 'false', 'y', 'n', 'yes', 'no')"
    elif column.type == "numeric":
        fits = f"regexp_matches({value}, '^-?(0|[1-9][0-9]*)(\\.[0-9]{{1,9}})?$')"
    else:
        # what is written as it would be written back; cheaper than to look at its shape
        fits = f"cast({exact} as varchar) = {value}"
        fits += f" and length({value}) = 10" if column.type == "date" else f" or {value} = '-0'"
    basic = f" when {_basic_date(value)}" if column.type == "date" else ""
    return f"case when {fits} then {exact}{basic} end"


def _basic_date(value: str) -> str:
    """A day as ISO 8601 writes it in its basic format: 20260601."""
    parts = " || '-' || ".join(f"substr({value}, {at})" for at in ("1, 4", "5, 2", "7, 2"))
    return f"regexp_full_match({value}, '[0-9]{{8}}') then try_cast({parts} as date)"


def _typed_instant(value: str, table: Table) -> str:
    local = f"try_cast({value} as timestamp)"
    if table.time_zone != "UTC":
        local = _utc(f"{local} at time zone '{table.time_zone}'")
    # behind the minutes only an offset has these signs
    tail = f"substr({value}, 17)"
    zoned = " or ".join(f"contains({tail}, '{sign}')" for sign in "Z+-")
    instant = _utc(f"try_cast({value} as timestamptz)")
    fits = f"regexp_matches({value}, '{_INSTANT}')"
    return f"case when {fits} then case when {zoned} then {instant} else {local} end end"


def _utc(instant: str) -> str:
    return f"({instant}) at time zone 'UTC'"


def _reasons(
    columns: list[Column], schema: dict[str, str], table: Table, now: datetime
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
    # no other type is written with these
    texts = [f'"{c.name}"' for c in columns if c.type == "string" and _is_text(schema[c.name])]
    for code, reason in ((65533, "bytes that the encoding lacks"), (0, "a NUL character")):
        if texts:
            found = " or ".join(f"contains({text}, chr({code}))" for text in texts)
            reasons.append(f"case when {found} then '{reason}' end")
    searched = [_searched(c, schema) for c in columns if c.name not in table.unscanned]
    if searched := [text for text in searched if text]:
        instants = {table.checked_instant, table.partition} & {c.name for c in columns}
        found = has_resident_number(searched, [f'"{name}__typed"' for name in sorted(instants)])
        reasons.append(f"case when {found} then '{_RESIDENT_NUMBER}' end")
    return reasons


def _searched(column: Column, schema: dict[str, str]) -> str | None:
    """SQL for what is searched for resident numbers, None where the type can't hold any."""
    if column.type == "string" and schema[column.name] == "VARCHAR":
        return f'"{column.name}"'
    if column.type not in ("string", "bigint", "numeric"):
        return None
    # a number may have lost its leading zero
    number = f'try_cast("{column.name}__typed" as bigint)'
    return (
        f"case when {number} between 100000000000 and 9999999999999"
        f" then lpad(cast({number} as varchar), 13, '0') end"
    )


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


def _key_text(parts: str) -> str:
    """SQL for a row's key as one text. A key may be what its row was rejected for."""
    key = _without_nul(f"concat_ws('|', {parts})")
    numbered = f"contains(_reason, '{_RESIDENT_NUMBER}')"
    return f"case when {numbered} then {without_resident_numbers(key)} else {key} end"


def _lands_text(column: Column) -> bool:
    return column.type == "string" or column.privacy == "pseudonym"


def _digest(values: Iterable[str]) -> str:
    """SQL for the MD5 of all values. Each goes in with its length, so that none runs into the next
    and null differs from ''."""
    texts = [f"cast({value} as varchar)" for value in values]
    parts = [f"coalesce(strlen({text}) || ':' || {text}, '-')" for text in texts]
    return f"md5(concat({', '.join(parts)}))"


def _without_nul(text: str) -> str:
    """SQL for a text of a rejected row that every engine can store."""
    return f"replace({text}, chr(0), '')"


def _rejected_row(columns: list[Column], schema: dict[str, str]) -> str:
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

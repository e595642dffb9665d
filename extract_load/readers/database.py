"""Reads tables of SQLite and Postgres through ADBC, as a stream of Arrow record batches."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError

from extract_load.declaration import Source, Table
from extract_load.readers import ReadError

# Postgres types that ADBC hands over as they are declared; everything else travels as text.
_NATIVE = {
    "smallint", "integer", "bigint", "boolean", "date", "text", "character varying",
    "timestamp with time zone", "timestamp without time zone",
}  # fmt: skip


@dataclass(frozen=True)
class Window:
    """Rows whose cursor lies in [since, until]; None is open. Instants are UTC without zone."""

    since: datetime | None = None
    until: datetime | None = None


@contextmanager
def connect(source: Source) -> Iterator["Database"]:
    """Opens the source's database read-only in effect. Raises ReadError without the address."""
    url = source.place()
    scheme, _, rest = url.partition("://")
    try:
        if scheme == "sqlite":
            path = Path("/" + rest.lstrip("/")) if rest.startswith("/") else Path(rest)
            if not path.is_file():
                raise ReadError(
                    f"source {source.source}: there is no SQLite file at its connection"
                )
            from adbc_driver_sqlite import (
                dbapi,
            )  # pulls in pandas: two seconds that others needn't pay

            connection = dbapi.connect(f"file:{path}?mode=ro")
            database: Database = _SQLite(connection)
        elif scheme in ("postgres", "postgresql"):
            from adbc_driver_postgresql import dbapi

            connection = dbapi.connect(url)
            database = _Postgres(connection)
        else:
            raise ReadError(f"source {source.source}: {scheme!r} is neither sqlite nor postgresql")
    except AdbcError as error:
        # the driver's message may repeat the address, and with it a password
        text = str(error).replace(url, "its connection").splitlines()[0]
        raise ReadError(f"source {source.source}: can't connect: {text}") from None
    with connection, ExitStack() as cursors:
        database.cursors = cursors
        yield database


class Database:
    """What the two engines share: which columns there are, and a query as a stream."""

    cursors: ExitStack  # a stream lives no longer than its cursor

    def __init__(self, connection: Any):
        self.connection = connection

    def undeclared(self, table: Table) -> list[str]:
        """Columns at the source without a privacy class: they don't land.

        Raises ReadError where a declared column is missing at the source.
        """
        there = self._types(table.name)
        if not there:
            raise ReadError(f"table {table.name} is not in the database")
        missing = [column.name for column in table.landed if column.name not in there]
        if missing:
            raise ReadError(
                f"table {table.name} lacks declared column{'s' if len(missing) > 1 else ''}"
                f" {', '.join(missing)}: kept what was loaded before"
            )
        return sorted(set(there) - {column.name for column in table.columns})

    def read(self, table: Table, window: Window) -> pa.RecordBatchReader:
        """The rows of a window, all columns that land."""
        return self._stream(table, [column.name for column in table.landed], window)

    def read_keys(self, table: Table) -> pa.RecordBatchReader:
        """The keys of all rows, to find those that vanished."""
        return self._stream(table, list(table.key), Window())

    def count(self, table: Table, until: datetime) -> int:
        """Rows of the table whose cursor is not beyond `until`."""
        condition = f' where "{table.cursor}" <= {self._until(table, until)}'
        ((count,),) = self._rows(f'select count(*) from "{table.name}"{condition}')
        return count

    def _types(self, table: str) -> dict[str, str]:
        raise NotImplementedError

    def _since(self, table: Table, instant: datetime) -> str:
        """SQL for an instant that a cursor value must reach."""
        raise NotImplementedError

    def _until(self, table: Table, instant: datetime) -> str:
        """SQL for an instant that a cursor value must not pass."""
        raise NotImplementedError

    def _stream(self, table: Table, columns: list[str], window: Window) -> pa.RecordBatchReader:
        raise NotImplementedError

    def _rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall()

    def _condition(self, table: Table, window: Window) -> str:
        parts = []
        if window.since is not None:
            parts.append(f'"{table.cursor}" >= {self._since(table, window.since)}')
        if window.until is not None:
            parts.append(f'"{table.cursor}" <= {self._until(table, window.until)}')
        if table.cursor is None or not parts:
            return ""
        # a row without a cursor value would otherwise never be seen
        return f' where ({" and ".join(parts)}) or "{table.cursor}" is null'

    def _batches(self, query: str) -> pa.RecordBatchReader:
        cursor = self.cursors.enter_context(self.connection.cursor())
        cursor.execute(query)
        return cursor.fetch_record_batch()


class _SQLite(Database):
    """SQLite types values, not columns: all travel as text and are judged by the declaration."""

    def _types(self, table: str) -> dict[str, str]:
        return dict(self._rows("select name, type from pragma_table_info(?)", (table,)))

    def _stream(self, table: Table, columns: list[str], window: Window) -> pa.RecordBatchReader:
        texts = ", ".join(f'cast("{name}" as text) as "{name}"' for name in columns)
        # The driver takes a column's type from its first rows. A first row of texts settles it,
        # also where those rows are null; it is cut off again.
        first = ", ".join(f"'' as \"{name}\"" for name in columns)
        condition = self._condition(table, window)
        stream = self._batches(
            f'select {first} union all select {texts} from "{table.name}"{condition}'
        )

        def rows() -> Iterator[pa.RecordBatch]:
            skipped = False
            for batch in stream:
                yield batch if skipped else batch.slice(1)
                skipped = True

        return pa.RecordBatchReader.from_batches(stream.schema, rows())

    def _since(self, table: Table, instant: datetime) -> str:
        # texts are compared, with or without microseconds: the whole second comes before both
        return f"'{instant.isoformat(' ', 'seconds')}'"

    def _until(self, table: Table, instant: datetime) -> str:
        return f"'{instant.isoformat(' ', 'microseconds')}'"


class _Postgres(Database):
    def _since(self, table: Table, instant: datetime) -> str:
        zoned = self._types(table.name).get(table.cursor or "") == "timestamp with time zone"
        text = instant.isoformat(" ")
        return f"timestamptz '{text}+00'" if zoned else f"timestamp '{text}'"

    _until = _since

    def _types(self, table: str) -> dict[str, str]:
        return dict(
            self._rows(
                "select column_name, data_type from information_schema.columns"
                " where table_name = $1 and table_schema = any(current_schemas(false))",
                (table,),
            )
        )

    def _stream(self, table: Table, columns: list[str], window: Window) -> pa.RecordBatchReader:
        types = self._types(table.name)
        selected = ", ".join(
            f'"{name}"' if types[name] in _NATIVE else f'cast("{name}" as text) as "{name}"'
            for name in columns
        )
        return self._batches(
            f'select {selected} from "{table.name}"{self._condition(table, window)}'
        )

"""Reads tables of databases as a stream of Arrow record batches: Postgres and SQLite through ADBC,
MySQL, MariaDB and whatever else SQLAlchemy reaches through its drivers.

What a batch holds is the source's value or its exact text, never something that was rounded on the
way; what no batch can hold is marked in `_error` and goes to quarantine.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import Error as AdbcError

from extract_load.declaration import Source, Table
from extract_load.readers import ReadError

_BATCH = 50_000  # rows that a driver without Arrow has in memory at once
# What each engine can hold as a date, in days and microseconds since 1970. Infinities, which are
# the ends of Postgres' ranges, wrap around on their way, but not into this one.
_FIRST, _LAST = date(1, 1, 1).toordinal(), date(9999, 12, 31).toordinal()
_EPOCH, _DAY = date(1970, 1, 1).toordinal(), 86_400_000_000
_DAYS = (_FIRST - _EPOCH, _LAST - _EPOCH)
_MICROSECONDS = ((_FIRST - _EPOCH) * _DAY, (_LAST - _EPOCH + 1) * _DAY - 1)


@dataclass(frozen=True)
class Window:
    """Rows whose cursor lies in [since, until]; None is open. Instants are UTC without zone."""

    since: datetime | None = None
    until: datetime | None = None


@contextmanager
def connect(source: Source) -> Iterator["Database"]:
    """Opens the source's database to read. Raises ReadError without the address."""
    url = source.place()
    scheme = url.partition("://")[0]
    engine = {"sqlite": _SQLite, "postgres": _Postgres, "postgresql": _Postgres}.get(scheme)
    try:
        database = (engine or _Alchemy)(url)
    except ReadError as error:
        raise ReadError(f"source {source.source}: {error}") from None
    except (AdbcError, ValueError) as error:
        text = str(error).replace(url, "its connection").splitlines()[0]
        raise ReadError(f"source {source.source}: can't connect: {text}") from None
    with database.open:
        try:
            yield database
        except Exception:
            if database.problem is None:
                raise
            # else it would come as the error of whoever took the rows
            raise ReadError(
                f"source {source.source}: reading broke off: {database.problem}"
            ) from None


class Database:
    """What all engines share: which columns there are, and a query as a stream."""

    def __init__(self) -> None:
        self.open = ExitStack()  # a stream lives no longer than its cursor
        self.problem: ReadError | None = None  # why a stream broke off
        self._known: dict[str, dict[str, str]] = {}

    def undeclared(self, table: Table) -> list[str]:
        """Columns at the source without a privacy class: they don't land.

        Raises ReadError where a declared column is missing at the source.
        """
        there = self._types(table)
        if not there:
            raise ReadError(f"table {table.name} is not in the database")
        missing = [c.name for c in table.landed if table.theirs(c.name) not in there]
        if missing:
            raise ReadError(
                f"table {table.name} lacks declared column{'s' if len(missing) > 1 else ''}"
                f" {', '.join(missing)}: kept what was loaded before"
            )
        return sorted(set(there) - {table.theirs(column.name) for column in table.columns})

    def read(self, table: Table, window: Window) -> pa.RecordBatchReader:
        """The rows of a window, all columns that land."""
        return self._stream(table, [column.name for column in table.landed], window)

    def read_keys(self, table: Table) -> pa.RecordBatchReader:
        """The keys of all rows, to find those that vanished."""
        return self._stream(table, list(table.key), Window())

    def count(self, table: Table, until: datetime) -> int:
        """Rows of the table whose cursor is not beyond `until`."""
        condition = f"{self._cursor(table)} <= {self._until(table, until)}"
        ((count,),) = self._rows(f"select count(*) from {self._name(table)} where {condition}")
        return int(count)

    # -- what an engine adds ---------------------------------------------------------------------

    def _read_types(self, table: Table) -> dict[str, str]:
        """Columns and what the engine calls their types; empty where there is no such table."""
        raise NotImplementedError

    def _since(self, table: Table, instant: datetime) -> str:
        """SQL for an instant that a cursor value must reach."""
        raise NotImplementedError

    def _until(self, table: Table, instant: datetime) -> str:
        """SQL for an instant that a cursor value must not pass."""
        return self._since(table, instant)

    def _value(self, column: str, kind: str) -> str:
        """SQL for a column as it travels; `column` is quoted."""
        raise NotImplementedError

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def _batches(self, query: str, names: list[str]) -> pa.RecordBatchReader:
        raise NotImplementedError

    def _quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def _unordered(self, cursor: str) -> str:
        """Condition for rows whose cursor value can't be compared: they are read each time, for
        they would otherwise never be seen."""
        return f"{cursor} is null"

    # -- what all share --------------------------------------------------------------------------

    def _types(self, table: Table) -> dict[str, str]:
        if table.name not in self._known:
            self._known[table.name] = self._read_types(table)
        return self._known[table.name]

    def _name(self, table: Table) -> str:
        return self._quoted(table.name)

    def _cursor(self, table: Table) -> str:
        return self._quoted(table.theirs(table.cursor or ""))

    def _select(self, table: Table, columns: list[str], window: Window) -> str:
        types, values = self._types(table), []
        for name in columns:
            theirs = table.theirs(name)
            value = self._value(self._quoted(theirs), types[theirs])
            values.append(f"{value} as {self._quoted(name)}")
        condition = self._condition(table, window)
        return f"select {', '.join(values)} from {self._name(table)}{condition}"

    def _stream(self, table: Table, columns: list[str], window: Window) -> pa.RecordBatchReader:
        return self._batches(self._select(table, columns, window), columns)

    def _condition(self, table: Table, window: Window) -> str:
        cursor, parts = self._cursor(table), []
        if window.since is not None:
            parts.append(f"{cursor} >= {self._since(table, window.since)}")
        if window.until is not None:
            parts.append(f"{cursor} <= {self._until(table, window.until)}")
        if table.cursor is None or not parts:
            return ""
        return f" where ({' and '.join(parts)}) or {self._unordered(cursor)}"


def _local(table: Table, instant: datetime) -> datetime:
    """An instant as the source's columns without zone say it."""
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(table.time_zone)).replace(tzinfo=None)


def _mapped(
    stream: pa.RecordBatchReader,
    schema: pa.Schema,
    change: Callable[[pa.RecordBatch], pa.RecordBatch],
) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(schema, map(change, stream))


class _Adbc(Database):
    connection: Any

    def _rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall()

    def _batches(self, query: str, names: list[str]) -> pa.RecordBatchReader:
        cursor = self.open.enter_context(self.connection.cursor())
        cursor.execute(query)
        return cursor.fetch_record_batch()


class _SQLite(_Adbc):
    """SQLite types values, not columns: all travel as text and are judged by the declaration."""

    def __init__(self, url: str):
        super().__init__()
        rest = url.partition("://")[2]
        path = Path("/" + rest.lstrip("/")) if rest.startswith("/") else Path(rest)
        if not path.is_file():
            raise ReadError("there is no SQLite file at its connection")
        # pulls in pandas: two seconds that others needn't pay
        from adbc_driver_sqlite import dbapi

        self.connection = self.open.enter_context(dbapi.connect(f"file:{path}?mode=ro"))

    def _read_types(self, table: Table) -> dict[str, str]:
        # generated columns too, which the plain table_info hides
        query = "select name, type from pragma_table_xinfo(?) where hidden <> 1"
        return dict(self._rows(query, (table.name,)))

    def _value(self, column: str, kind: str) -> str:
        # a cast would take a blob's bytes for text
        blob = f"'\\x' || lower(hex({column}))"
        return f"case typeof({column}) when 'blob' then {blob} else cast({column} as text) end"

    def _stream(self, table: Table, columns: list[str], window: Window) -> pa.RecordBatchReader:
        # The driver takes a column's type from its first rows. A first row of texts settles it,
        # also where those rows are null; it is cut off again.
        first = ", ".join(f"'' as {self._quoted(name)}" for name in columns)
        stream = self._batches(
            f"select {first} union all {self._select(table, columns, window)}", columns
        )

        def rows() -> Iterator[pa.RecordBatch]:
            skipped = False
            for batch in stream:
                yield _readable(batch if skipped else batch.slice(1))
                skipped = True

        return pa.RecordBatchReader.from_batches(stream.schema, rows())

    def _since(self, table: Table, instant: datetime) -> str:
        # texts are compared, with or without microseconds: the whole second comes before both
        return f"'{_local(table, instant).isoformat(' ', 'seconds')}'"

    def _until(self, table: Table, instant: datetime) -> str:
        return f"'{_local(table, instant).isoformat(' ', 'microseconds')}'"

    def _unordered(self, cursor: str) -> str:
        return f"typeof({cursor}) <> 'text'"


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts that are no UTF-8 with U+FFFD for what isn't, by which their rows are rejected."""
    try:
        batch.validate(full=True)
        return batch
    except pa.ArrowInvalid:
        columns = []
        for column in batch.columns:
            values = column.cast(pa.binary()).to_pylist()
            texts = [None if v is None else v.decode("utf-8", "replace") for v in values]
            columns.append(pa.array(texts, column.type))
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


class _Postgres(_Adbc):
    # types that ADBC hands over as they are; all else travels as text. A numeric too: the server
    # writes it out in half the time that the driver takes, which also makes it text
    _NATIVE = frozenset(
        ["smallint", "integer", "bigint", "boolean", "date", "text", "character varying",
         "timestamp with time zone", "timestamp without time zone"]
    )  # fmt: skip
    # what texts look like must not depend on the server's settings; and all queries see one state
    _SETTINGS = (
        "set transaction isolation level repeatable read, read only",
        "set local timezone = 'UTC'",
        "set local datestyle = 'ISO'",
        "set local intervalstyle = 'iso_8601'",
        "set local bytea_output = 'hex'",
        "set local extra_float_digits = 1",
    )

    def __init__(self, url: str):
        super().__init__()
        from adbc_driver_postgresql import dbapi

        self.connection = self.open.enter_context(dbapi.connect(url))
        with self.connection.cursor() as cursor:
            for setting in self._SETTINGS:
                cursor.execute(setting)

    def _since(self, table: Table, instant: datetime) -> str:
        kind = self._types(table).get(table.theirs(table.cursor or ""))
        if kind == "timestamp with time zone":
            return f"timestamptz '{instant.isoformat(' ')}+00'"
        return f"timestamp '{_local(table, instant).isoformat(' ')}'"

    def _read_types(self, table: Table) -> dict[str, str]:
        # of a domain the type that it is made of
        return dict(
            self._rows(
                "select cast(a.attname as text), cast(format_type("
                " case when t.typtype = 'd' then t.typbasetype else t.oid end, null) as text)"
                " from pg_attribute as a join pg_type as t on t.oid = a.atttypid"
                " where a.attrelid = to_regclass(quote_ident($1))"
                " and a.attnum > 0 and not a.attisdropped",
                (table.name,),
            )
        )

    def _value(self, column: str, kind: str) -> str:
        if kind in self._NATIVE:
            return column
        # money is written as the server's country writes it
        exact = f"cast({column} as numeric)" if kind == "money" else column
        return f"cast({exact} as text)"

    def _batches(self, query: str, names: list[str]) -> pa.RecordBatchReader:
        stream = super()._batches(query, names)
        dated = [field.name for field in stream.schema if pa.types.is_temporal(field.type)]
        if not dated:
            return stream
        schema = stream.schema.append(pa.field("_error", pa.string()))
        return _mapped(stream, schema, lambda batch: _within_years(batch, dated, schema))


def _within_years(batch: pa.RecordBatch, dated: list[str], schema: pa.Schema) -> pa.RecordBatch:
    """Rows with a date or an instant that only Postgres can hold lose it and are marked."""
    errors = None
    for name in dated:
        column = batch.column(name)
        days = pa.types.is_date(column.type)
        numbers = column.cast(pa.int32()) if days else column.cast(pa.int64())
        first, last = _DAYS if days else _MICROSECONDS
        ends = pc.min_max(numbers).as_py()
        if ends["min"] is None or (ends["min"] >= first and ends["max"] <= last):
            continue
        inside = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
        text = pa.scalar(f"{name} lies outside the years 1 to 9999")
        told = pc.if_else(inside, pa.scalar(None, pa.string()), text)
        errors = told if errors is None else pc.coalesce(errors, told)
        kept = pc.if_else(inside, column, pa.scalar(None, column.type))
        batch = batch.set_column(batch.schema.names.index(name), name, kept)
    if errors is None:
        errors = pa.nulls(batch.num_rows, pa.string())
    return pa.RecordBatch.from_arrays([*batch.columns, errors], schema=schema)


class _Alchemy(Database):
    """Whatever SQLAlchemy has a dialect and somebody a driver for. Rows come in parts of bounded
    size, where the driver can from a cursor at the server; they travel as text.
    """

    # drivers that come with us, where a URL names none
    _DRIVERS: ClassVar = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
    _SETTINGS: ClassVar = {
        "mysql": (
            "set time_zone = '+00:00'",
            "set session transaction isolation level repeatable read",
            "start transaction with consistent snapshot, read only",
        )
    }

    def __init__(self, url: str):
        super().__init__()
        import sqlalchemy
        from sqlalchemy import exc

        scheme, separator, rest = url.partition("://")
        try:
            parsed = sqlalchemy.make_url(self._DRIVERS.get(scheme, scheme) + separator + rest)
            engine = sqlalchemy.create_engine(parsed, poolclass=sqlalchemy.NullPool)
        except exc.NoSuchModuleError:
            raise ReadError(
                f"{scheme!r} is no database that SQLAlchemy knows: install the package of its"
                " dialect"
            ) from None
        except (exc.ArgumentError, ValueError):
            raise ReadError("its connection is no URL like mysql://user@host:port/name") from None
        except ImportError as error:
            raise ReadError(f"install the Python package {error.name or scheme}") from None
        self._secrets = [part for part in (url, parsed.password) if part]
        self.mysql = engine.dialect.name in ("mysql", "mariadb")
        with self._failures("can't connect: "):
            self.connection = self.open.enter_context(closing(engine.connect()))
            for setting in self._SETTINGS["mysql"] if self.mysql else ():
                self.connection.exec_driver_sql(setting)

    def _read_types(self, table: Table) -> dict[str, str]:
        import sqlalchemy
        from sqlalchemy import exc

        if self.mysql:
            return dict(
                self._rows(
                    "select column_name, upper(data_type) from information_schema.columns"
                    f" where table_schema = database() and table_name = '{table.name}'"
                )
            )
        with self._failures():
            try:
                found = sqlalchemy.inspect(self.connection).get_columns(table.name)
            except exc.NoSuchTableError:
                return {}
        return {column["name"]: str(column["type"].__visit_name__).upper() for column in found}

    def _quoted(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote_identifier(name)

    def _since(self, table: Table, instant: datetime) -> str:
        kind = self._types(table).get(table.theirs(table.cursor or ""))
        # a MySQL TIMESTAMP is an instant, shown in the session's zone
        at = instant if self.mysql and kind == "TIMESTAMP" else _local(table, instant)
        return f"'{at.isoformat(' ')}'"

    def _value(self, column: str, kind: str) -> str:
        if not self.mysql:
            return column
        if kind.endswith(("BLOB", "BINARY")):
            return f"concat('\\\\x', lower(hex({column})))"
        if kind == "BIT":
            return f"cast({column} + 0 as char)"
        if kind == "TIMESTAMP":
            return f"concat(cast({column} as char), '+00:00')"
        return f"cast({column} as char)"

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._failures():
            return [tuple(row) for row in self.connection.exec_driver_sql(query)]

    def _batches(self, query: str, names: list[str]) -> pa.RecordBatchReader:
        schema = pa.schema([(name, pa.string()) for name in names])

        def parts() -> Iterator[pa.RecordBatch]:
            try:
                yield from taken()
            except ReadError as error:
                self.problem = error
                raise

        def taken() -> Iterator[pa.RecordBatch]:
            with self._failures():
                result = self.connection.execution_options(
                    stream_results=True, max_row_buffer=_BATCH
                ).exec_driver_sql(query)
                with closing(result):
                    for rows in result.partitions(_BATCH):
                        columns = [
                            pa.array(_texts(c), pa.string()) for c in zip(*rows, strict=True)
                        ]
                        yield pa.RecordBatch.from_arrays(columns, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, parts())

    @contextmanager
    def _failures(self, what: str = "") -> Iterator[None]:
        """Errors in the server's own words, without the statement and without secrets."""
        from sqlalchemy import exc

        try:
            yield
        except exc.SQLAlchemyError as error:
            text = str(getattr(error, "orig", None) or error).splitlines()[0]
            for secret in self._secrets:
                text = text.replace(secret, "***")
            raise ReadError(f"{what}{text}") from None


def _texts(values: Iterable[Any]) -> list[str | None]:
    return [value if value is None or isinstance(value, str) else _text(value) for value in values]


def _text(value: Any) -> str:
    """A driver's value as the exact text that a file would have."""
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)

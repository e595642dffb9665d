"""Postgres 15 or newer, through ADBC: rows come in by COPY, as a stream."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from adbc_driver_manager import Error as AdbcError

from extract_load.declaration import Source
from extract_load.loader.lock import LockedError
from extract_load.loader.relations import LEDGER, Relation
from extract_load.loader.warehouse import Warehouse, WarehouseError

# literals and quoted names are skipped, so that only a bare ? is a parameter
_PARAMETER = re.compile(r"('[^']*'|\"[^\"]*\")|\?")
# the advisory lock of whoever writes: any number that nobody else uses in this database
_WRITER = 0x676F6F646F63
LOADER, TRANSFORMER = "goodoc_loader", "goodoc_transformer"
READER, RESTRICTED_READER = "bi_reader", "restricted_reader"


class PostgresWarehouse(Warehouse):
    """Raw tables and ledger in one Postgres database, under `role`, or as who logged in.

    With `read_only` nothing is made, so `role` needs no right to. Raises WarehouseError where the
    database of the URL can't be reached or lacks the role.
    """

    types: ClassVar = {
        "string": "text",
        "bigint": "bigint",
        "numeric": "numeric(38, 9)",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "timestamp",
    }

    def __init__(self, url: str, role: str | None = LOADER, read_only: bool = False):
        from adbc_driver_postgresql import dbapi  # takes seconds that other engines needn't pay

        try:
            self.connection = dbapi.connect(url, autocommit=True)
        except (AdbcError, ValueError) as error:
            raise WarehouseError(_no_connection(url, error)) from None
        try:
            self.query("set timezone = 'UTC'")
            self.query("set datestyle = 'ISO'")
            self.query("set client_min_messages = 'warning'")
            if role is not None:
                if not self.has_role(role):
                    raise WarehouseError(f"Postgres has no role {role}: `goodoc setup` makes it")
                self.query(f"set role {role}")
            if not read_only:
                self._make_ledger()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.connection.close()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        numbers = iter(range(1, len(parameters) + 1))
        sql = _PARAMETER.sub(lambda found: found[1] or f"${next(numbers)}", sql)
        with _one_line_errors(), self.connection.cursor() as cursor:
            cursor.execute(sql, list(parameters) or None)
            if not cursor.description:
                return []
            found = cursor.fetch_arrow_table()
        return list(zip(*(_values(found, name) for name in range(found.num_columns)), strict=True))

    def relations(self) -> set[tuple[str, str]]:
        return set(
            self.query(
                "select cast(n.nspname as text), cast(c.relname as text) from pg_class as c"
                " join pg_namespace as n on n.oid = c.relnamespace where c.relkind in"
                " ('r', 'p', 'v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')"
            )
        )

    @contextmanager
    def staged(self, inputs: Mapping[str, Path | pa.Table]) -> Iterator[dict[str, str]]:
        try:
            for name, data in inputs.items():
                with _one_line_errors(), self.connection.cursor() as cursor, _stream(data) as rows:
                    cursor.adbc_ingest(name, rows, mode="create", temporary=True)
                self.query(f"analyze {name}")
            yield {name: name for name in inputs}
        finally:
            for name in inputs:
                self.query(f"drop table if exists {name}")

    def prepare(self, source: Source) -> None:
        super().prepare(source)
        self._grant(source.schema_name)

    def _make_ledger(self) -> None:
        super()._make_ledger()
        # not even who owns the access log changes it
        self.query(f"revoke update, delete, truncate on {LEDGER}.access_log from current_user")
        self._grant(LEDGER)

    def _grant(self, schema: str) -> None:
        """Lets the models read, where they are built under a role of their own."""
        if self.has_role(TRANSFORMER):
            self.query(f"grant usage on schema {schema} to {TRANSFORMER}")
            self.query(f"grant select on all tables in schema {schema} to {TRANSFORMER}")

    def has_role(self, role: str) -> bool:
        """Whether the server knows the role."""
        return bool(self.query("select 1 from pg_roles where rolname = ?", [role]))

    def _columns(self, schema: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for table, column in self.query(
            "select cast(c.relname as text), cast(a.attname as text) from pg_attribute as a"
            " join pg_class as c on c.oid = a.attrelid"
            " join pg_namespace as n on n.oid = c.relnamespace"
            " where n.nspname = ? and c.relkind in ('r', 'p')"
            " and a.attnum > 0 and not a.attisdropped",
            [schema],
        ):
            found.setdefault(table, set()).add(column)
        return found

    def _create(self, relation: Relation) -> None:
        if relation.schema == LEDGER:
            super()._create(relation)
            return
        # the table with its indexes or not at all
        self.query("begin")
        super()._create(relation)
        for how in (
            f"btree ({', '.join(self.quote(column) for column in relation.key)})",
            "btree (_load_id)",
            *([f"brin ({self.quote(relation.partition)})"] if relation.partition else []),
        ):
            name = self.name(relation.schema, relation.name)
            self.query(f"create index on {name} using {how}")
        self.query("commit")


@contextmanager
def held(url: str, who: str, wait: float) -> Iterator[None]:
    """Holds the database for one writer, whichever machine it is on, waiting up to `wait` seconds.

    `who` is what the next one is told. The server lets go when the connection ends, however it
    ends. Raises LockedError, naming the holder.
    """
    with PostgresWarehouse(url, role=None, read_only=True) as server:
        name = who.replace("'", "")[:63]
        server.query(f"set application_name = '{name}'")
        deadline = time.monotonic() + wait
        while not server.query(f"select pg_try_advisory_lock({_WRITER})")[0][0]:
            if time.monotonic() >= deadline:
                holders = server.query(
                    "select cast(a.application_name as text) from pg_locks as l"
                    " join pg_stat_activity as a on a.pid = l.pid where l.locktype = 'advisory'"
                    " and l.granted and l.database ="
                    " (select oid from pg_database where datname = current_database())"
                    f" and (cast(l.classid as bigint) << 32) + cast(l.objid as bigint) = {_WRITER}"
                )
                holder = holders[0][0] if holders else "another process"
                raise LockedError(f"the warehouse is being written by {holder}: try again later")
            time.sleep(0.2)
        yield


def _values(found: pa.Table, column: int) -> list[Any]:
    """Python values of a column; the driver hands numerics over as text."""
    metadata = found.schema.field(column).metadata or {}
    values = found.column(column).to_pylist()
    if metadata.get(b"ADBC:postgresql:typname") == b"numeric":
        return [None if value is None else Decimal(value) for value in values]
    return values


@contextmanager
def _stream(data: Path | pa.Table) -> Iterator[pa.RecordBatchReader]:
    """Rows in batches, so that memory stays bounded however big the slice is."""
    if isinstance(data, pa.Table):
        yield data.to_reader()
        return
    with pq.ParquetFile(data) as parquet:
        batches = parquet.iter_batches(batch_size=16_384)
        yield pa.RecordBatchReader.from_batches(parquet.schema_arrow, batches)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Errors as the server's own first line: what follows it quotes rows and statements."""
    try:
        yield
    except AdbcError as error:
        # class 22 is bad data, whose first line quotes the value too
        if (error.sqlstate or "").startswith("22"):
            text = f"a value doesn't fit its column (SQLSTATE {error.sqlstate})"
        else:
            found = re.search(r"(?:ERROR|FATAL|PANIC): +(.+)", str(error))
            text = found[1] if found else "the connection broke"
        raise WarehouseError(f"Postgres: {text}") from None


def _no_connection(url: str, error: Exception) -> str:
    """Of the driver's message only what can't repeat the URL, which may hold a password."""
    known = re.search(
        r"Connection refused|timeout expired|No such file or directory|password authentication"
        r" failed|no password supplied|no pg_hba.conf entry|database \"\w+\" does not exist"
        r"|role \"\w+\" does not exist|too many (?:connections|clients)|starting up",
        str(error),
    )
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    where = f"Postgres on {host}" if host else "Postgres"
    why = known[0] if known else "its address is not understood or not reachable"
    return f"can't connect to {where}: {why}; set GOODOC_PG_URL (postgresql://user@host:port/db)"

"""The DuckDB writer: raw tables, and the ledger that says what was read and where each row went.

A slice, its cursor, its ledger row and its quarantined rows are one transaction, so that after any
kill either all of it is there or nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from extract_load.declaration import Source, Table
from extract_load.loader.conform import Landing, sql_type
from extract_load.readers.files import File

LEDGER = """
create schema if not exists raw_ledger;
create table if not exists raw_ledger.loads (
    load_id bigint primary key,
    run_id varchar not null,
    source varchar not null,
    table_name varchar not null,
    extracted_at timestamp not null,
    read_count bigint not null,
    loaded_count bigint not null,
    quarantined_count bigint not null,
    suppressed_count bigint not null,
    vanished_count bigint not null,
    checksum varchar not null,
    check (read_count = loaded_count + quarantined_count + suppressed_count)
);
create table if not exists raw_ledger.moves (
    load_id bigint not null,
    from_load_id bigint not null,
    source varchar not null,
    table_name varchar not null,
    kind varchar not null check (kind in ('replaced', 'deleted')),
    row_count bigint not null
);
create table if not exists raw_ledger.cursors (
    source varchar not null,
    table_name varchar not null,
    cursor_at timestamp not null,
    primary key (source, table_name)
);
create table if not exists raw_ledger.files (
    source varchar not null,
    table_name varchar not null,
    file varchar not null,
    digest varchar not null,
    size bigint not null,
    modified bigint not null,
    load_id bigint not null,
    primary key (source, table_name, file)
);
create table if not exists raw_ledger.quarantine (
    quarantine_id varchar primary key,
    source varchar not null,
    table_name varchar not null,
    load_id bigint not null,
    file varchar,
    line bigint,
    row_key varchar,
    reason varchar not null,
    masked_row varchar,
    quarantined_at timestamp not null
);
create table if not exists raw_ledger.runs (
    run_id varchar not null,
    source varchar not null,
    table_name varchar not null,
    finished_at timestamp not null,
    outcome varchar not null check (outcome in ('loaded', 'nothing new', 'failed')),
    message varchar
);
"""


class WarehouseError(Exception):
    """The warehouse can't be opened or written; one line."""


@dataclass(frozen=True)
class Counts:
    """Rows of one load: read = loaded + quarantined + suppressed; vanished is beside them."""

    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    suppressed: int = 0
    vanished: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.read + other.read,
            self.loaded + other.loaded,
            self.quarantined + other.quarantined,
            self.suppressed + other.suppressed,
            self.vanished + other.vanished,
        )


@dataclass(frozen=True)
class Load:
    """What is to be moved into a raw table in one transaction.

    `complete` says that the slice holds all rows of the table. `keys` are all keys
    at the source, for tables that compare them.
    """

    run_id: str
    source: Source
    table: Table
    landing: Landing
    extracted_at: datetime
    cursor_at: datetime | None = None
    complete: bool = False
    keys: Landing | None = None
    files: tuple[File, ...] = ()
    failed_files: tuple[tuple[str, str], ...] = ()


class DuckDBWarehouse:
    """Raw tables and ledger in one DuckDB file. Use as a context manager."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.connection = duckdb.connect(
                str(path), config={"autoinstall_known_extensions": False}
            )
        except duckdb.IOException as error:
            raise WarehouseError(
                f"can't open the warehouse: {str(error).splitlines()[0]}"
            ) from None
        path.chmod(0o600)
        self.connection.execute("set timezone = 'UTC'")
        self.connection.execute("set enable_progress_bar = false")
        self.connection.execute(LEDGER)

    def __enter__(self) -> "DuckDBWarehouse":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def prepare(self, source: Source) -> None:
        """Creates the raw tables of a source that aren't there, and columns declared since.

        All declared sources are prepared, loaded or not, so that every model can always be built.
        """
        self.connection.execute(f"create schema if not exists {source.schema_name}")
        for table in source.tables.values():
            types = _columns(source, table)
            name = f'{source.schema_name}."{table.name}"'
            listed = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
            self.connection.execute(f"create table if not exists {name} ({listed})")
            there = {row[0] for row in self.connection.execute(f"describe {name}").fetchall()}
            for column, kind in types.items():
                if column not in there:
                    self.connection.execute(f'alter table {name} add column "{column}" {kind}')

    def cursor(self, source: Source, table: Table) -> datetime | None:
        """How far the table was read, UTC without zone; None before the first load."""
        row = self.connection.execute(
            "select cursor_at from raw_ledger.cursors where source = ? and table_name = ?",
            [source.source, table.name],
        ).fetchone()
        return row[0] if row else None

    def files(self, source: Source, table: Table) -> dict[str, File]:
        """Loaded files by name."""
        rows = self.connection.execute(
            "select file, size, modified, digest from raw_ledger.files"
            " where source = ? and table_name = ?",
            [source.source, table.name],
        ).fetchall()
        return {name: File(Path(name), name, *rest) for name, *rest in rows}

    def row_count(self, source: Source, table: Table) -> int:
        """Live rows in the raw table."""
        ((count,),) = self.connection.execute(
            f'select count(*) from {source.schema_name}."{table.name}" where _deleted_at is null'
        ).fetchall()
        return count

    def known_count(self, source: Source, table: Table, until: datetime) -> int:
        """Rows whose cursor is not beyond `until`: in raw, or in quarantine instead."""
        raw = f'{source.schema_name}."{table.name}"'
        key = ", ".join(f'"{name}"' for name in table.key)
        ((count,),) = self.connection.execute(
            f"""
            select (
                select count(*) from {raw} where _deleted_at is null and "{table.cursor}" <= $until
            ) + (
                select count(distinct row_key) from raw_ledger.quarantine
                where source = $source and table_name = $name
                    and not contains(reason, 'lies in the future')
                    and row_key not in (
                        select concat_ws('|', {key}) from {raw} where _deleted_at is null
                    )
            )
            """,
            {"until": until, "source": source.source, "name": table.name},
        ).fetchall()
        return count

    def key_version(self, source: Source, table: Table) -> str | None:
        """The pseudonym key version that the table's tokens were made with."""
        row = self.connection.execute(
            f'select _key_version from {source.schema_name}."{table.name}"'
            " where _key_version is not null limit 1"
        ).fetchone()
        return row[0] if row else None

    def record_run(
        self, run_id: str, source: Source, table: Table, at: datetime, outcome: str, message: str
    ) -> None:
        """Notes how a table fared in a run, for `status`."""
        self.connection.execute(
            "insert into raw_ledger.runs values (?, ?, ?, ?, ?, ?)",
            [run_id, source.source, table.name, at, outcome, message],
        )

    def commit(self, load: Load) -> Counts:
        """Moves a landed slice into raw in one transaction and returns its counts."""
        self.connection.execute("begin")
        try:
            counts = _Move(self.connection, load).run()
            self.connection.execute("commit")
        except BaseException:
            self.connection.execute("rollback")
            raise
        return counts


def _columns(source: Source, table: Table) -> dict[str, str]:
    """Column -> type of a raw table, bookkeeping last."""
    types = {column.name: sql_type(column) for column in table.landed}
    if table.has_pseudonyms:
        types["_key_version"] = "varchar"
    if source.reader == "files":
        types |= {"_file": "varchar", "_line": "bigint"}
    return types | {"_load_id": "bigint", "_extracted_at": "timestamp", "_deleted_at": "timestamp"}


class _Move:
    """One load's transaction, step by step."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, load: Load):
        self.connection = connection
        self.load = load
        self.source = load.source
        self.table = load.table
        self.raw = f'{load.source.schema_name}."{load.table.name}"'
        self.key = ("_file", "_line") if load.source.reader == "files" else load.table.key
        self.content = [column.name for column in load.table.landed]
        if load.table.has_pseudonyms:
            self.content.append("_key_version")
        (self.load_id,) = self._one("select coalesce(max(load_id), 0) + 1 from raw_ledger.loads")

    def run(self) -> Counts:
        self._stage()
        new, changed, suppressed = self._decide()
        if changed:
            self._replace()
        self._insert()
        vanished = self._mark_vanished()
        quarantined, known = self._quarantine()
        counts = Counts(
            read=new + changed + suppressed + quarantined + known,
            loaded=new + changed,
            quarantined=quarantined,
            suppressed=suppressed + known,
            vanished=vanished,
        )
        self._write_ledger(counts)
        self.connection.execute("drop table incoming")
        return counts

    def _one(self, query: str, parameters: Iterable[object] = ()) -> tuple:
        (row,) = self.connection.execute(query, list(parameters)).fetchall()
        return row

    def _matches(self, left: str, right: str) -> str:
        return " and ".join(f'{left}."{name}" = {right}."{name}"' for name in self.key)

    def _landed(self) -> str:
        """The landing without the files that broke while they were read."""
        query = f"select * from read_parquet('{self.load.landing.path}')"
        if self.load.failed_files:
            names = ", ".join(_text(name) for name, _ in self.load.failed_files)
            query += f" where _file not in ({names})"
        return query

    def _stage(self) -> None:
        self.connection.execute(f"create or replace temp view landed as {self._landed()}")
        self.overlapping = self._overlaps()
        decision = "'new'"
        joined = "accepted as b"
        if self.overlapping:
            same = " and ".join(
                f'b."{name}" is not distinct from r."{name}"' for name in self.content
            )
            older = (
                f'r."{self.table.cursor}" > b."{self.table.cursor}"'
                if self.table.cursor
                else "false"
            )
            decision = f"""
                case
                    when r._load_id is null then 'new'
                    when r._deleted_at is null and {same} then 'suppressed'
                    when {older} then 'suppressed'
                    else 'changed'
                end"""
            joined = (
                f"accepted as b left join ({self._present()}) as r on {self._matches('b', 'r')}"
            )
        order = f'"{self.table.cursor}" desc nulls last' if self.table.cursor else "1"
        keys = ", ".join(f'"{name}"' for name in self.key)
        # a file's rows can't share their key; a database's could, where its key isn't enforced
        copy = (
            "1"
            if self.source.reader == "files"
            else (f"row_number() over (partition by {keys} order by {order})")
        )
        self.connection.execute(f"""
            create or replace temp table incoming as
            with accepted as (
                select * exclude (_reason, _row, _key), {copy} as _copy
                from landed where _reason is null
            )
            select
                b.* exclude (_copy),
                case when b._copy > 1 then 'suppressed' else {decision} end as _decision
            from {joined}
        """)

    def _overlaps(self) -> bool:
        """Whether any landed row can meet one that is already in raw."""
        if self.source.reader == "files":
            # asked of the ledger, so that a day's new files cost the same however long the history
            query = (
                "select exists (from raw_ledger.files"
                f" where source = ? and table_name = ? and file in ({self._file_names()}))"
            )
            return self._one(query, [self.source.source, self.table.name])[0]
        return self._one(f"select exists (from {self.raw})")[0]

    def _file_names(self) -> str:
        return ", ".join(_text(file.name) for file in self.load.files) or "''"

    def _present(self) -> str:
        """The row of each key as raw knows it now (with history: its newest version)."""
        scope = ""
        if self.source.reader == "files":
            # an earlier content of the file may have left rows marked as gone under the same key
            scope = f" where _file in ({self._file_names()}) and _deleted_at is null"
        if not self.table.history:
            return f"select * from {self.raw}{scope}"
        keys = ", ".join(f'"{name}"' for name in self.key)
        return (
            f"select * from {self.raw} qualify row_number() over"
            f" (partition by {keys} order by _load_id desc) = 1"
        )

    def _decide(self) -> tuple[int, int, int]:
        found = dict(
            self.connection.execute(
                "select _decision, count(*) from incoming group by 1"
            ).fetchall()
        )
        return found.get("new", 0), found.get("changed", 0), found.get("suppressed", 0)

    def _replace(self) -> None:
        """Takes out the rows that changed ones replace (with history they stay)."""
        if self.table.history:
            return
        live = "and r._deleted_at is null" if self.source.reader == "files" else ""
        meets = (
            f"exists (select 1 from incoming as b where b._decision = 'changed'"
            f" and {self._matches('b', 'r')}) {live}"
        )
        self._note_moves("replaced", f"select _load_id from {self.raw} as r where {meets}")
        self.connection.execute(f"delete from {self.raw} as r where {meets}")

    def _insert(self) -> None:
        names = ", ".join(
            f'"{name}"'
            for name in (*self.content, *(self.key if self.source.reader == "files" else ()))
        )
        self.connection.execute(
            f"insert into {self.raw} ({names}, _load_id, _extracted_at)"
            f" select {names}, {self.load_id}, ? from incoming"
            " where _decision in ('new', 'changed')",
            [self.load.extracted_at],
        )

    def _mark_vanished(self) -> int:
        """Marks live rows that the source no longer has; how many."""
        load = self.load
        if self.source.reader == "files":
            if not self.overlapping:
                return 0
            scope = f"r._file in ({self._file_names()})"
            there = f"select 1 from landed as b where {self._matches('b', 'r')}"
        elif load.complete or load.keys is not None:
            path = (load.keys or load.landing).path
            scope = "true"
            if self.table.history:
                scope = f"""r._load_id = (
                    select max(n._load_id) from {self.raw} as n where {self._matches("n", "r")})"""
            key = ", ".join(f'r."{name}"' for name in self.key)
            # by key text, which rejected rows carry too: a rejected row has not vanished
            there = (
                f"select 1 from read_parquet('{path}') as b where b._key = concat_ws('|', {key})"
            )
        else:
            return 0
        gone = (
            f"r._deleted_at is null and r._load_id <> {self.load_id}"
            f" and {scope} and not exists ({there})"
        )
        self._note_moves("deleted", f"select _load_id from {self.raw} as r where {gone}")
        (count,) = self._one(
            f"update {self.raw} as r set _deleted_at = ?, _load_id = {self.load_id} where {gone}",
            [load.extracted_at],
        )
        return count

    def _note_moves(self, kind: str, load_ids: str) -> None:
        self.connection.execute(
            "insert into raw_ledger.moves"
            f" select {self.load_id}, _load_id, ?, ?, ?, count(*)"
            f" from ({load_ids}) group by _load_id",
            [self.source.source, self.table.name, kind],
        )

    def _quarantine(self) -> tuple[int, int]:
        """Moves rejected rows into quarantine: how many are new there, how many were known."""
        where = "source = ? and table_name = ?"
        mine = [self.source.source, self.table.name]
        known = "raw_ledger.quarantine"
        if self.source.reader == "files":
            # the files are read whole again, so what they still reject comes back below
            self.connection.execute(
                f"delete from {known} where {where} and file in ({self._file_names()})", mine
            )
        else:
            keys = ", ".join(f'"{name}"' for name in self.key)
            self.connection.execute(
                f"delete from {known} where {where} and row_key in"
                f" (select concat_ws('|', {keys}) from incoming)",
                mine,
            )
        file, line = ("_file", "_line") if self.source.reader == "files" else ("null", "null")
        broken = pa.table(
            {
                "_file": pa.array([name for name, _ in self.load.failed_files], pa.string()),
                "_reason": pa.array([reason for _, reason in self.load.failed_files], pa.string()),
            }
        )
        self.connection.register("broken", broken)
        self.connection.execute(
            f"""
            create or replace temp table rejected as
            with rows as (
                select cast({file} as varchar) as file, cast({line} as bigint) as line,
                    _key as row_key, _reason as reason, _row as masked_row
                from landed where _reason is not null
                union all
                select _file, null, null, 'the file can''t be read: ' || _reason, null from broken
            )
            select md5(concat_ws('|', $source, $name, coalesce(file, ''), coalesce(line, 0),
                row_key, reason, masked_row, row_number() over (
                    partition by file, line, row_key, reason, masked_row))) as quarantine_id, *
            from rows
            """,
            {"source": mine[0], "name": mine[1]},
        )
        self.connection.unregister("broken")
        (total,) = self._one("select count(*) from rejected")
        self.connection.execute(
            f"insert or ignore into {known} select quarantine_id, ?, ?, {self.load_id}, file, line,"
            " row_key, reason, masked_row, ? from rejected",
            [*mine, self.load.extracted_at],
        )
        (new,) = self._one(
            f"select count(*) from {known} where load_id = {self.load_id} and {where}", mine
        )
        self.connection.execute("drop table rejected")
        return new, total - new

    def _write_ledger(self, counts: Counts) -> None:
        load = self.load
        self.connection.execute(
            "insert into raw_ledger.loads values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self.load_id, load.run_id, self.source.source, self.table.name, load.extracted_at,
                counts.read, counts.loaded, counts.quarantined, counts.suppressed, counts.vanished,
                load.landing.checksum,
            ],
        )  # fmt: skip
        if load.cursor_at is not None:
            self.connection.execute(
                "insert or replace into raw_ledger.cursors values (?, ?, ?)",
                [self.source.source, self.table.name, load.cursor_at],
            )
        # a broken file too: it is read again once its content changes, or by a replay
        names = ("name", "digest", "size", "modified")
        known = pa.table({name: [getattr(file, name) for file in load.files] for name in names})
        if load.files:
            self.connection.register("known", known)
            self.connection.execute(
                "insert or replace into raw_ledger.files"
                f" select ?, ?, *, {self.load_id} from known",
                [self.source.source, self.table.name],
            ).fetchall()
            self.connection.unregister("known")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

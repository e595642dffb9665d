"""What loads write to: raw tables, and the ledger that says what was read and where each row went.

A slice, its cursor, its ledger row and its quarantined rows are one transaction, so that after any
kill either all of it is there or nothing. Here stands all that the engines share, in SQL that each
of them reads; an engine adds how it connects, what it calls things, and how bytes get in.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from extract_load.declaration import Source, Table
from extract_load.loader.dialect import Dialect, instant
from extract_load.loader.erasure import erasure, linked_people
from extract_load.loader.expiry import Expiry, counted, cutoff_of, expiry, midnight
from extract_load.loader.move import Load, Move
from extract_load.loader.relations import LEDGER, LEDGER_TABLES, Relation, raw_relation
from extract_load.readers.files.file import File


class WarehouseError(Exception):
    """The warehouse can't be opened or written; one line, without passwords and row values."""


@dataclass(frozen=True)
class Counts:
    """Rows of one load: read = loaded + quarantined + suppressed; vanished is beside them."""

    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    suppressed: int = 0
    vanished: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class Warehouse(Dialect, ABC):
    """Raw tables and ledger on one engine. Use as a context manager.

    Who opens one to write holds the writer lock. Failures are WarehouseError, or the errors of the
    engine where these show no row values.
    """

    def __enter__(self) -> "Warehouse":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what an engine adds ---------------------------------------------------------------------

    @abstractmethod
    def close(self) -> None:
        """Ends the connection."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement; `?` are parameters. Instants come as UTC without zone."""

    @abstractmethod
    def relations(self) -> set[tuple[str, str]]:
        """Schema and name of every table and view."""

    @abstractmethod
    def staged(
        self, inputs: Mapping[str, Path | pa.Table]
    ) -> AbstractContextManager[dict[str, str]]:
        """Makes Parquet files and Arrow tables readable as relations, and says what these are
        called in SQL; they end with the context."""

    @abstractmethod
    def _columns(self, schema: str) -> dict[str, set[str]]:
        """Tables of a schema with their columns; empty where there is no such schema."""

    def transact(self, statements: Iterable[str], then: str) -> list[tuple[Any, ...]]:
        """Runs the statements in one transaction, all or none, and after it the query `then`."""
        self.query("begin")
        try:
            for statement in statements:
                self.query(statement)
            self.query("commit")
        except BaseException:
            with suppress(WarehouseError):  # of a connection that is lost; so is its transaction
                self.query("rollback")
            raise
        return self.query(then)

    def _create_schema(self, schema: str) -> None:
        self.query(f"create schema if not exists {schema}")

    def _create(self, relation: Relation) -> None:
        parts = [
            f"{self.quote(name)} {self.types[kind]}{' not null' * (name in relation.required)}"
            for name, kind in relation.columns.items()
        ]
        if relation.schema == LEDGER:
            parts += [f"primary key ({', '.join(relation.key)})"] * bool(relation.key)
            parts += [f"check ({relation.check})"] * bool(relation.check)
        name = self.name(relation.schema, relation.name)
        self.query(f"create table if not exists {name} ({', '.join(parts)})")

    def _extend(self, relation: Relation, columns: Sequence[str]) -> None:
        name = self.name(relation.schema, relation.name)
        for column in columns:
            kind = self.types[relation.columns[column]]
            self.query(f"alter table {name} add column {self.quote(column)} {kind}")

    # -- what all share --------------------------------------------------------------------------

    def _make(self, schema: str, relations: Iterable[Relation]) -> None:
        """Creates tables of a schema that aren't there, and adds columns declared since."""
        there = self._columns(schema)
        if not there:
            self._create_schema(schema)
        for relation in relations:
            if relation.name not in there:
                self._create(relation)
            elif new := [name for name in relation.columns if name not in there[relation.name]]:
                self._extend(relation, new)

    def _make_ledger(self) -> None:
        self._make(LEDGER, LEDGER_TABLES)

    def prepare(self, source: Source) -> None:
        """Creates the raw tables of a source that aren't there, and columns declared since.

        All declared sources are prepared, loaded or not, so that every model can always be built.
        """
        self._make(
            source.schema_name, [raw_relation(source, table) for table in source.tables.values()]
        )

    def cursor(self, source: Source, table: Table) -> datetime | None:
        """How far the table was read, UTC without zone; None before the first load."""
        rows = self.query(
            "select cursor_at from raw_ledger.cursors where source = ? and table_name = ?",
            [source.source, table.name],
        )
        return rows[0][0] if rows else None

    def last_load(self, source: Source, table: Table) -> datetime | None:
        """When rows of the table were last committed, UTC without zone; None before the first."""
        ((instant,),) = self.query(
            "select max(extracted_at) from raw_ledger.loads where source = ? and table_name = ?",
            [source.source, table.name],
        )
        return instant

    def state(self, source: Source, table: Table) -> str | None:
        """What the source wanted to be told at the next load; None before the first."""
        rows = self.query(
            "select state from raw_ledger.states where source = ? and table_name = ?",
            [source.source, table.name],
        )
        return rows[0][0] if rows else None

    def files(self, source: Source, table: Table) -> dict[str, File]:
        """Loaded files by name."""
        rows = self.query(
            "select file, size, modified, digest from raw_ledger.files"
            " where source = ? and table_name = ?",
            [source.source, table.name],
        )
        return {name: File(Path(name), name, *rest) for name, *rest in rows}

    def row_count(self, source: Source, table: Table) -> int:
        """Rows as the source has them now: without vanished ones, of a history the newest."""
        rows = self.name(source.schema_name, table.name)
        live = "_deleted_at is null"
        if table.history:
            key = ", ".join(self.quote(name) for name in table.key)
            rows = (
                f"(select _deleted_at, row_number() over (partition by {key}"
                f" order by _load_id desc) as _age from {rows}) as v"
            )
            live += " and _age = 1"
        return self.query(f"select count(*) from {rows} where {live}")[0][0]

    def known_count(self, source: Source, table: Table, until: datetime) -> int:
        """Rows whose cursor is not beyond `until`: in raw, in quarantine instead, or erased."""
        raw = self.name(source.schema_name, table.name)
        types = raw_relation(source, table).columns
        key = " || '|' || ".join(
            self.text(types[name], f"r.{self.quote(name)}") for name in table.key
        )
        ((count,),) = self.query(
            f"""
            select (
                select count(*) from {raw}
                where _deleted_at is null and {self.quote(table.cursor or "")} <= {instant(until)}
            ) + (
                select count(distinct q.row_key) from raw_ledger.quarantine as q
                left join {raw} as r on {key} = q.row_key and r._deleted_at is null
                where q.source = ? and q.table_name = ? and r._load_id is null
                    and q.reason not like '%lies in the future%'
            ) + (
                select count(*) from raw_ledger.erased_rows where source = ? and table_name = ?
            )
            """,
            [source.source, table.name] * 2,
        )
        return count

    def key_version(self, source: Source, table: Table) -> str | None:
        """The pseudonym key version that the table's tokens were made with."""
        rows = self.query(
            f"select _key_version from {self.name(source.schema_name, table.name)}"
            " where _key_version is not null limit 1"
        )
        return rows[0][0] if rows else None

    def record_run(
        self, run_id: str, source: Source, table: Table, at: datetime, outcome: str, message: str
    ) -> None:
        """Notes how a table fared in a run, for `status`."""
        self.query(
            "insert into raw_ledger.runs"
            " (run_id, source, table_name, finished_at, outcome, message)"
            " values (?, ?, ?, ?, ?, ?)",
            [run_id, source.source, table.name, at, outcome, message],
        )

    def record_access(
        self, at: datetime, actor: str, host: str, command: str, scope: str, outcome: str
    ) -> None:
        """Notes who had what done to which data. Nothing here changes or removes such a note."""
        self.query(
            "insert into raw_ledger.access_log"
            " (happened_at, actor, host, command, scope, outcome) values (?, ?, ?, ?, ?, ?)",
            [at, actor, host, command, scope, outcome],
        )

    def erase(self, tokens: Iterable[str], sources: Sequence[Source], run_id: str) -> int:
        """Takes people out, by their pseudonyms, with all that `sources` declare to be theirs, in
        one transaction; loads keep them out from then on. Returns how many rows went.

        A person is more than one pseudonym where accounts were merged: these go too.
        """
        people, links = (
            set(tokens),
            [pair for query in linked_people(self, sources) for pair in self.query(query)],
        )
        while (
            more := {other for one, two in links for other in (one, two) if {one, two} & people}
            - people
        ):
            people |= more
        at = datetime.now(UTC).replace(tzinfo=None)
        with self.staged({"landed_people": pa.table({"token": sorted(people)})}) as relations:
            note = (
                "insert into raw_ledger.erased_people (token, erased_at)"
                f" select n.token, {instant(at)} from {relations['landed_people']} as n"
                " left join raw_ledger.erased_people as e on e.token = n.token"
                " where e.token is null"
            )
            gone = (
                "select coalesce(sum(m.row_count), 0) from raw_ledger.moves as m"
                " inner join raw_ledger.loads as l on l.load_id = m.load_id"
                f" where l.run_id = '{run_id}' and m.kind = 'erased'"
            )
            ((rows,),) = self.transact([note, *erasure(self, sources, run_id, at)], gone)
        return int(rows)

    def erasure_requests(self, sources: Iterable[Source]) -> list[str]:
        """Pseudonyms of people who ask to be erased; who was erased isn't named any more."""
        found: set[str] = set()
        for source in sources:
            for table in source.tables.values():
                if table.requests_erasure_of:
                    raw = self.name(source.schema_name, table.name)
                    column = self.quote(table.requests_erasure_of)
                    rows = self.query(f"select distinct {column} from {raw} where {column} <> ''")
                    found |= {token for (token,) in rows}
        return sorted(found)

    def expire(
        self, source: Source, table: Table, today: date, run_id: str, is_trial: bool = False
    ) -> Expiry:
        """Drops the rows of a table that are past its period on a Korean day, in one transaction;
        loads keep them out from then on. A trial only counts them."""
        cutoff = cutoff_of(table, today)
        cutoff_at = midnight(cutoff)
        ((dropped, kept, oldest),) = self.query(counted(self, source, table, cutoff_at))
        if not is_trial:
            at = datetime.now(UTC).replace(tzinfo=None)
            statements = expiry(self, source, table, cutoff_at, run_id, at)
            self.transact(statements, "select 1")
        if isinstance(oldest, datetime):
            oldest = (oldest.replace(tzinfo=None) + timedelta(hours=9)).date()
        keep = table.keep
        return Expiry(
            source.source, table.name, keep.days, keep.because, cutoff,
            int(dropped), int(kept), oldest,
        )  # fmt: skip

    def sweep(self, sources: Sequence[Source], run_id: str, at: datetime) -> None:
        """Erases once more, where a load since `at` met rows of people who were erased: what these
        own may have come in before them."""
        if self.query(f"select 1 from raw_ledger.erased_rows where erased_at >= {instant(at)}"):
            self.transact(erasure(self, sources, run_id, at), "select 1")

    def commit(self, load: Load) -> Counts:
        """Moves a landed slice into raw in one transaction and returns its counts."""
        inputs: dict[str, Path | pa.Table] = {"landed": load.landing.path}
        if load.keys is not None:
            inputs["landed_keys"] = load.keys.path
        if load.files:
            inputs["landed_files"] = _files(load)
        if load.state is not None:
            inputs["landed_state"] = pa.table({"state": [load.state]})
        with self.staged(inputs) as relations:
            move = Move(self, load, raw_relation(load.source, load.table), relations)
            (answer,) = self.query(move.question)
            move.load_id, move.overlapping, move.any_erased, move.expired_before = answer
            if move.repetition:
                ((move.repeats,),) = self.query(move.repetition)
            (counts,) = self.transact(move.statements(), move.counts)
        return Counts(*counts)


def _files(load: Load) -> pa.Table:
    failed = dict(load.failed_files)
    names = ("name", "digest", "size", "modified")
    columns = {name: [getattr(file, name) for file in load.files] for name in names}
    columns["error"] = pa.array(
        [f"the file can't be read: {failed[n]}" if n in failed else None for n in columns["name"]],
        pa.string(),
    )
    return pa.table(columns)

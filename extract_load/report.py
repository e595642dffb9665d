"""What a run of extract-load has to say, and what its parts share."""

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from extract_load.declaration import Source, Table
from extract_load.loader.conform import Lander
from extract_load.loader.pseudonyms import PseudonymKey
from extract_load.loader.warehouse import Counts, Warehouse
from extract_load.readers import ReadError


@dataclass
class TableReport:
    """How one table fared: counts of rows, seconds, and what a person should know."""

    source: str
    table: str
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    error: str | None = None
    late: int = 0  # rows at the source, behind the cursor, that are not in raw
    undeclared: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)  # by the reader, one line each
    is_left_out: bool = False  # an optional source that is not set up

    @property
    def notes(self) -> list[str]:
        """What a person should know of a table that did load, one line each."""
        found = list(self.said)
        if self.undeclared:
            found.append(f"no privacy class, so did not land: {', '.join(sorted(self.undeclared))}")
        if self.late:
            rows = "row" if self.late == 1 else "rows"
            found.append(
                f"{self.late:,} {rows} at the source came later than the lag and are not in raw:"
                f" `goodoc load {self.source} --since DAY` brings them in"
            )
        return found


@dataclass
class LoadReport:
    """One run; `failed` lists the tables that could not be loaded."""

    run_id: str
    tables: list[TableReport] = field(default_factory=list)

    @property
    def left_out(self) -> list[str]:
        """Optional sources that are not set up."""
        return [table.source for table in self.tables if table.is_left_out]

    @property
    def failed(self) -> list[TableReport]:
        return [table for table in self.tables if table.error]


@dataclass(frozen=True)
class Run:
    """One run over any number of sources. Instants are UTC without zone; `now` is its start, and
    `today` the day that windows of web APIs end with, where it isn't the day of `now`."""

    warehouse: Warehouse
    folder: Path
    key: PseudonymKey | None
    lander: Lander
    since: datetime | None
    until: datetime | None
    replay: frozenset[tuple[str, str]]
    run_id: str
    now: datetime
    today: date | None = None

    def landing(self, name: str) -> Path:
        """A file in the landing folder that no other slice has."""
        return self.folder / f"{name}-{uuid.uuid4().hex}.parquet"

    def reads_again(self, source: Source, table: Table) -> bool:
        """Whether the table is to be read whole, however far it was read before."""
        return (source.source, table.name) in self.replay

    def furthest(self, newest: datetime | None, before: datetime | None) -> datetime | None:
        """The new cursor: the newest instant that landed, never beyond now, never backwards."""
        candidates = [instant for instant in (newest and min(newest, self.now), before) if instant]
        return max(candidates, default=None)

    def refuse_empty(self, source: Source, table: Table, read: int | None) -> None:
        """Raises ReadError where nothing came of a table that held rows, unless that may be."""
        if (
            read == 0
            and table.empty == "refused"
            and (kept := self.warehouse.row_count(source, table))
        ):
            raise ReadError(
                f"table {table.name} came back empty: kept the {kept:,} rows loaded before"
                " (declare `empty: allowed` if that can be right)"
            )

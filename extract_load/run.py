"""One run of extract-load over any number of sources: nothing lost, nothing doubled."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError

from extract_load.declaration import DeclarationError, Source, Table
from extract_load.loader.conform import Lander
from extract_load.loader.move import Load
from extract_load.loader.pseudonyms import MissingKeyError, PseudonymKey
from extract_load.loader.warehouse import Counts, Warehouse, WarehouseError
from extract_load.readers import database, files

# What a table's failure may look like; anything else is a mistake of ours and is raised.
_FAILURES = (
    AdbcError,
    DeclarationError,
    MissingKeyError,
    OSError,
    ValueError,
    WarehouseError,
    database.ReadError,
    duckdb.Error,
    pa.ArrowException,
)


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

    @property
    def notes(self) -> list[str]:
        """What a person should know of a table that did load, one line each."""
        found = [f"{name} has no privacy class: did not land" for name in sorted(self.undeclared)]
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
    def failed(self) -> list[TableReport]:
        return [table for table in self.tables if table.error]


@dataclass(frozen=True)
class _Run:
    warehouse: Warehouse
    folder: Path
    key: PseudonymKey | None
    lander: Lander
    since: datetime | None
    until: datetime | None
    replay: frozenset[tuple[str, str]]
    run_id: str
    now: datetime

    def landing(self, name: str) -> Path:
        return self.folder / f"{name}-{uuid.uuid4().hex}.parquet"


def load(
    sources: Iterable[Source],
    warehouse: Warehouse,
    landing_folder: Path,
    key: PseudonymKey | None,
    since: datetime | None = None,
    until: datetime | None = None,
    replay: Iterable[tuple[str, str]] = (),
    progress: Callable[[TableReport, bool], None] | None = None,
) -> LoadReport:
    """Loads each table's new slices. One failing table or source doesn't stop the others.

    `since`/`until` (UTC without zone) re-read a window: rows by their cursor, files by when they
    were last modified. `replay` names (source, table) pairs to read again whole, to bring
    quarantined rows in. `progress(report, done)` is called as rows arrive. The caller holds
    the writer lock.
    """
    landing_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left_over in landing_folder.glob("*.parquet"):
        left_over.unlink()  # of a run that was killed: its slice was not committed
    now = datetime.now(UTC).replace(tzinfo=None)
    report = LoadReport(uuid.uuid4().hex)
    with Lander(landing_folder, key, now) as lander:
        run = _Run(
            warehouse,
            landing_folder,
            key,
            lander,
            since,
            until,
            frozenset(replay),
            report.run_id,
            now,
        )
        for source in sources:
            report.tables += _load_source(source, run, progress or (lambda *_: None))
    return report


def _load_source(
    source: Source, run: _Run, progress: Callable[[TableReport, bool], None]
) -> Iterator[TableReport]:
    run.warehouse.prepare(source)
    try:
        source.place()
    except DeclarationError as error:
        # one cause, one line: not the same for each of its tables
        for table in source.tables.values():
            run.warehouse.record_run(run.run_id, source, table, run.now, "failed", str(error))
        yield TableReport(source.source, "all tables", error=str(error))
        return
    for table in source.tables.values():
        report = TableReport(source.source, table.name)
        started = datetime.now(UTC)
        progress(report, False)
        try:
            _check_key(source, table, run)
            reader = _load_database if source.reader == "database" else _load_files
            for counts in reader(source, table, run, report):
                report.counts += counts
                progress(report, False)
        except _FAILURES as error:
            report.error = _one_line(error)
        report.seconds = (datetime.now(UTC) - started).total_seconds()
        outcome = "failed" if report.error else "loaded" if report.counts.read else "nothing new"
        message = report.error or "; ".join(report.notes)
        run.warehouse.record_run(run.run_id, source, table, run.now, outcome, message)
        progress(report, True)
        yield report


def _one_line(error: Exception) -> str:
    """The first line, without the row values that an engine likes to quote."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    quoting = (duckdb.ConversionException, duckdb.OutOfRangeException)
    # class 22 of SQLSTATE is bad data too
    if isinstance(error, quoting) or (getattr(error, "sqlstate", "") or "").startswith("22"):
        text = "a value doesn't fit its column"
    return text[:300]


def _check_key(source: Source, table: Table, run: _Run) -> None:
    if not table.has_pseudonyms:
        return
    if run.key is None:
        raise MissingKeyError(
            f"table {table.name} has direct identifiers and there is no pseudonym key:"
            " set GOODOC_PSEUDONYM_KEY_FILE"
        )
    used = run.warehouse.key_version(source, table)
    if used not in (None, run.key.version):
        raise MissingKeyError(
            f"table {table.name} holds pseudonyms of key {used}, the configured key is"
            f" {run.key.version}: two keys never mix in a table"
        )


# -- databases -----------------------------------------------------------------------------------


def _load_database(
    source: Source, table: Table, run: _Run, report: TableReport
) -> Iterator[Counts]:
    again = (source.source, table.name) in run.replay
    cursor = None if again else run.warehouse.cursor(source, table)
    window = database.Window(cursor - table.lag if cursor else None)
    if table.mode == "incremental" and (run.since or run.until) and not again:
        window = database.Window(run.since, run.until)
    complete = table.mode == "full"
    path, keys_path = run.landing("rows"), run.landing("keys")
    try:
        with database.connect(source) as connection:
            report.undeclared |= set(connection.undeclared(table))
            landing = run.lander.land(connection.read(table, window), table, path)
            keys = None
            if table.deletes == "compare_keys" and not complete:
                keys = run.lander.land(connection.read_keys(table), _keys_only(table), keys_path)
            cursor_at = None
            if table.mode == "incremental" and window.until is None:
                cursor_at = _furthest(landing.newest, run, run.warehouse.cursor(source, table))
            at_source = connection.count(table, cursor_at) if cursor_at else None
        _refuse_empty(source, table, run, landing.read if complete else keys.read if keys else None)
        yield run.warehouse.commit(
            Load(
                run.run_id,
                source,
                table,
                landing,
                run.now,
                cursor_at=cursor_at,
                complete=complete,
                keys=keys,
            )
        )
        if cursor_at and at_source is not None:
            report.late = max(0, at_source - run.warehouse.known_count(source, table, cursor_at))
    finally:
        path.unlink(missing_ok=True)
        keys_path.unlink(missing_ok=True)


def _keys_only(table: Table) -> Table:
    columns = {
        column.name: f"{column.type} {column.privacy}"
        + (f"({column.normalise})" if column.normalise != "text" else "")
        for column in table.columns
        if column.name in table.key
    }
    return Table(name=table.name, description=table.description, columns=columns, key=table.key)


def _refuse_empty(source: Source, table: Table, run: _Run, read: int | None) -> None:
    if read == 0 and table.empty == "refused" and (kept := run.warehouse.row_count(source, table)):
        raise database.ReadError(
            f"table {table.name} came back empty: kept the {kept:,} rows loaded before"
            " (declare `empty: allowed` if that can be right)"
        )


def _furthest(newest: datetime | None, run: _Run, before: datetime | None) -> datetime | None:
    """The new cursor: the newest instant that landed, never beyond now, never backwards."""
    candidates = [instant for instant in (newest and min(newest, run.now), before) if instant]
    return max(candidates, default=None)


# -- files ---------------------------------------------------------------------------------------


def _load_files(source: Source, table: Table, run: _Run, report: TableReport) -> Iterator[Counts]:
    known = run.warehouse.files(source, table)
    for part in files.slices(table, _unread(source, table, run, known)):
        path = run.landing("rows")
        try:
            landing = run.lander.land(part.read(), table, path)
            report.undeclared |= part.undeclared
            yield run.warehouse.commit(
                Load(
                    run.run_id,
                    source,
                    table,
                    landing,
                    run.now,
                    files=tuple(part.files),
                    failed_files=tuple(part.failed.items()),
                )
            )
        finally:
            path.unlink(missing_ok=True)


def _unread(
    source: Source, table: Table, run: _Run, known: dict[str, files.File]
) -> Iterator[files.File]:
    """Files with content that isn't in raw yet: new ones, changed ones, ones to be read again."""
    again = (source.source, table.name) in run.replay
    digests = {file.digest: name for name, file in known.items()}
    for file in files.find(source, table):
        before = known.get(file.name)
        unchanged = before and (before.size, before.modified) == (file.size, file.modified)
        wanted = again or _modified_within(file, run)
        if unchanged and not wanted:
            continue
        file = files.hashed(file)
        # content that lies in raw under another name was moved or sent twice
        if digests.get(file.digest, file.name) != file.name:
            continue
        if before and before.digest == file.digest and not wanted:
            continue
        digests[file.digest] = file.name
        yield file


def _modified_within(file: files.File, run: _Run) -> bool:
    if run.since is None and run.until is None:
        return False
    modified = datetime.fromtimestamp(file.modified / 1e9, UTC).replace(tzinfo=None)
    since, until = run.since or datetime.min, run.until or datetime.max - timedelta(days=1)
    return since <= modified <= until

"""One run of extract-load over any number of sources: nothing lost, nothing doubled."""

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError

from extract_load import load_database, load_files, load_rest, load_singer
from extract_load.declaration import DeclarationError, Source, Table
from extract_load.loader.conform import Lander
from extract_load.loader.pseudonyms import MissingKeyError, PseudonymKey
from extract_load.loader.warehouse import Warehouse, WarehouseError
from extract_load.readers import ReadError
from extract_load.report import LoadReport, Run, TableReport

# What a table's failure may look like; anything else is a mistake of ours and is raised.
_FAILURES = (
    AdbcError,
    DeclarationError,
    MissingKeyError,
    OSError,
    ValueError,
    WarehouseError,
    ReadError,
    duckdb.Error,
    pa.ArrowException,
)


_LOAD_TABLE = {
    "database": load_database.load_table,
    "files": load_files.load_table,
    "rest": load_rest.load_table,
    "singer": load_singer.load_table,
}


def load(
    sources: Iterable[Source],
    warehouse: Warehouse,
    landing_folder: Path,
    key: PseudonymKey | None,
    since: datetime | None = None,
    until: datetime | None = None,
    replay: Iterable[tuple[str, str]] = (),
    progress: Callable[[TableReport, bool], None] | None = None,
    today: date | None = None,
) -> LoadReport:
    """Loads each table's new slices. One failing table or source doesn't stop the others.

    `since`/`until` (UTC without zone) re-read a window: rows by their cursor, files by when they
    were last modified. `replay` names (source, table) pairs to read again whole, to bring
    quarantined rows in. `progress(report, done)` is called as rows arrive. `today` is the day
    that windows of web APIs end with, where it isn't the clock's. The caller holds the writer lock.
    """
    landing_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left_over in landing_folder.iterdir():
        # of a run that was killed: its slice was not committed
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    now = datetime.now(UTC).replace(tzinfo=None)
    report = LoadReport(uuid.uuid4().hex)
    with Lander(landing_folder, key, now) as lander:
        run = Run(
            warehouse,
            landing_folder,
            key,
            lander,
            since,
            until,
            frozenset(replay),
            report.run_id,
            now,
            today,
        )
        sources = list(sources)
        for source in sources:
            report.tables += _load_source(source, run, progress or (lambda *_: None))
        warehouse.sweep(sources, run.run_id, now)
    return report


def _load_source(
    source: Source, run: Run, progress: Callable[[TableReport, bool], None]
) -> Iterator[TableReport]:
    run.warehouse.prepare(source)
    if source.is_left_out:
        yield TableReport(source.source, "all tables", is_left_out=True)
        return
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
            for counts in _LOAD_TABLE[source.reader](source, table, run, report):
                report.counts += counts
                progress(report, False)
        except _FAILURES as error:
            report.error = _one_line(error)
        report.undeclared -= set(table.ignored)
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
    quoted = isinstance(error, quoting) or "Invalid string encoding" in text
    if quoted or (getattr(error, "sqlstate", "") or "").startswith("22"):
        text = "a value doesn't fit its column"
    return text[:300]


def _check_key(source: Source, table: Table, run: Run) -> None:
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

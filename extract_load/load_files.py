"""From dropped files into raw: each content once, wherever it lies."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from extract_load.declaration import Source, Table
from extract_load.loader.move import Load
from extract_load.loader.warehouse import Counts
from extract_load.readers import files
from extract_load.report import Run, TableReport


def load_table(source: Source, table: Table, run: Run, report: TableReport) -> Iterator[Counts]:
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
    source: Source, table: Table, run: Run, known: dict[str, files.File]
) -> Iterator[files.File]:
    """Files with content that isn't in raw yet: new ones, changed ones, ones to be read again."""
    again = run.reads_again(source, table)
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


def _modified_within(file: files.File, run: Run) -> bool:
    if run.since is None and run.until is None:
        return False
    modified = datetime.fromtimestamp(file.modified / 1e9, UTC).replace(tzinfo=None)
    since, until = run.since or datetime.min, run.until or datetime.max - timedelta(days=1)
    return since <= modified <= until

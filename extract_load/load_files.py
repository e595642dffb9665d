"""From dropped files into raw: each content once, wherever it lies."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from extract_load.declaration import Source, Table
from extract_load.loader.move import Load
from extract_load.loader.warehouse import Counts
from extract_load.readers import files
from extract_load.report import Run, TableReport

# How the ledger marks the digest of a file whose rows are in raw under another name, and of one
# that broke; behind the latter's stands what the file's rows in raw still say.
_SAME, _BROKEN = "=", "!"


def load_table(source: Source, table: Table, run: Run, report: TableReport) -> Iterator[Counts]:
    unread = _Unread(source, table, run, report)
    try:
        for found in (unread.new(), unread.orphans()):
            for part in files.slices(table, found):
                yield from _land(part, unread)
    finally:
        for copy in unread.copies:
            copy.unlink(missing_ok=True)


def _land(part: files.Slice, unread: "_Unread") -> Iterator[Counts]:
    run = unread.run
    path = run.landing("rows")
    try:
        landing = run.lander.land(part.read(), part.table, path)
        while moving := {file.name for file in part.files if files.changed(file)}:
            for name in sorted(moving):
                unread.left(name, "changed while it was read")
            rest = [file for file in part.files if file.name not in moving]
            if not rest:
                return
            part = replace(part, files=rest, failed={}, undeclared=set())
            landing = run.lander.land(part.read(), part.table, path)
        unread.report.undeclared |= part.undeclared
        failed = part.failed | unread.refused_empty(part, path)
        yield run.warehouse.commit(
            Load(
                run.run_id,
                unread.source,
                part.table,
                landing,
                run.now,
                files=tuple(
                    unread.failed(file) if file.name in failed else file for file in part.files
                ),
                failed_files=tuple(failed.items()),
            )
        )
    finally:
        path.unlink(missing_ok=True)
        for file in part.files:
            if file.path in unread.copies:
                file.path.unlink(missing_ok=True)


class _Unread:
    """Files with content that isn't in raw yet: new ones, changed ones, ones to be read again."""

    def __init__(self, source: Source, table: Table, run: Run, report: TableReport):
        self.source, self.table, self.run, self.report = source, table, run, report
        self.copies: set[Path] = set()
        self._storage = files.storage_of(source)
        self._found = {file.name: file for file in self._storage.find(table.path)}
        self._known = run.warehouse.files(source, table)
        # by content: where its rows are, and which files say the same
        self._homes: dict[str, str] = {}
        self._twins: dict[str, set[str]] = {}
        for name, file in self._known.items():
            if file.digest[:1] == _SAME:
                self._twins.setdefault(file.digest[1:], set()).add(self._place(name))
            elif content := _in_raw(file):
                self._homes[content] = name
        self._lost: set[str] = set()  # contents that their home doesn't have any more

    def new(self) -> Iterator[files.File]:
        again = self.run.reads_again(self.source, self.table)
        for file in self._found.values():
            wanted = again or _modified_within(file, self.run)
            if abs(time.time() - file.modified / 1e9) < self.table.settle.total_seconds():
                self.left(file.name, "is younger than `settle`")
            elif wanted or not self._is_settled(file):
                yield from self._parts(file, wanted)

    def orphans(self) -> Iterator[files.File]:
        """Files whose content lost its home, say because that made room for the next one."""
        lost, self._lost = self._lost - self._homes.keys(), set()
        for digest in sorted(lost):
            for name in sorted(self._twins.get(digest, set()) & self._found.keys()):
                yield from self._parts(self._found[name], False)

    def left(self, name: str, why: str) -> None:
        self.report.said.append(f"{name} {why}: left for the next run")

    def failed(self, file: files.File) -> files.File:
        """A file that broke, as the ledger is to know it: the rows that it had stay."""
        before = self._known.get(file.name)
        kept = _in_raw(before) if before else ""
        if self._homes.get(file.digest) == file.name:
            del self._homes[file.digest]
            self._lost.add(file.digest)
        if kept:
            self._homes.setdefault(kept, file.name)
        return replace(file, digest=f"{_BROKEN}{file.digest}{_BROKEN}{kept}")

    def _is_settled(self, file: files.File) -> bool:
        before = self._known.get(file.name)
        if before is None or (before.size, before.modified) != (file.size, file.modified):
            return False
        return before.digest[:1] != _SAME or before.digest[1:] in self._homes

    def _parts(self, file: files.File, wanted: bool) -> Iterator[files.File]:
        try:
            for part in files.parts(self._storage, file, self.table, self._copy):
                if not part.has_rows:
                    yield replace(part, digest="")
                    continue
                before = self._known.get(part.name)
                held = _in_raw(before) if before else ""
                if held not in ("", part.digest) and self._homes.get(held) == part.name:
                    del self._homes[held]
                    self._lost.add(held)
                home = self._homes.get(part.digest)
                # who lost it may break, and keep it; so that waits for `orphans`
                if part.digest in self._lost or home not in (None, part.name):
                    self._twins.setdefault(part.digest, set()).add(file.name)
                    if home and self._place(home) in self._found and before is None:
                        self.report.said.append(f"{part.name} says what {home} says: landed once")
                    yield replace(part, digest=_SAME + part.digest, bare=True)
                    continue
                same = before is not None and before.digest == part.digest
                # a copy that came from elsewhere is remembered, or it would be fetched each time
                if same and not wanted and (part.inode or part.name != file.name):
                    continue
                self._homes[part.digest] = part.name
                yield part
        except files.LeftForLater:
            self.left(file.name, "changed while it was read")

    def _place(self, name: str) -> str:
        """The file of the source that a name belongs to: itself, or the archive that it is in."""
        head, suffix, _ = name.partition(".zip/")
        return name if name in self._found or not suffix else f"{head}.zip"

    def _copy(self) -> Path:
        path = self.run.landing("file")
        self.copies.add(path)
        return path

    def refused_empty(self, part: files.Slice, landing: Path) -> dict[str, str]:
        """Files that had rows and came back without any: why their rows stay."""
        had = [f.name for f in part.files if f.has_rows and f.name in self._known]
        if not had or self.table.empty != "refused":
            return {}
        query = "select distinct _file from read_parquet(?)"
        came = {name for (name,) in duckdb.execute(query, [str(landing)]).fetchall()}
        raw = self.run.warehouse.name(self.source.schema_name, self.table.name)
        count = f"select count(*) from {raw} where _file = ? and _deleted_at is null"
        kept = {
            name: self.run.warehouse.query(count, [name])[0][0]
            for name in had
            if name not in came and name not in part.failed
        }
        return {
            name: f"it came back without rows: kept the {rows:,} loaded before"
            " (declare `empty: allowed` if that can be right)"
            for name, rows in kept.items()
            if rows
        }


def _in_raw(file: files.File) -> str:
    """The digest of what the file's rows in raw say; '' where it has none."""
    if file.digest[:1] == _BROKEN:
        return file.digest.rpartition(_BROKEN)[2]
    return "" if file.digest[:1] == _SAME else file.digest


def _modified_within(file: files.File, run: Run) -> bool:
    if run.since is None and run.until is None:
        return False
    modified = datetime.fromtimestamp(file.modified / 1e9, UTC).replace(tzinfo=None)
    since, until = run.since or datetime.min, run.until or datetime.max - timedelta(days=1)
    return since <= modified <= until

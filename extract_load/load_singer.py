"""From a Singer tap into raw: slice by slice, each with the state that the tap gave for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from extract_load.declaration import Source, Table
from extract_load.loader.conform import Landing
from extract_load.loader.move import Load
from extract_load.loader.warehouse import Counts
from extract_load.readers import singer
from extract_load.report import Run, TableReport

# the catalog of each source's tap, as the run found it
_catalogs: dict[str, tuple[str, dict[str, Any]]] = {}


def load_table(source: Source, table: Table, run: Run, report: TableReport) -> Iterator[Counts]:
    full = table.mode == "full"
    # equal rows without a key are told apart by their number in the slice, so it is one slice
    whole = source.identity(table) == "content"
    again = full or run.reads_again(source, table) or run.since or run.until
    state = None if again else run.warehouse.state(source, table)
    read, slices = 0, 0
    with singer.open_tap(source, run.folder) as tap, _Keys(table, run) as keys:
        catalog = _catalog(source, run, tap)
        with tap.stream(table, catalog, state, report.undeclared) as stream:
            while not stream.ended:
                path = run.landing("rows")
                try:
                    landing = run.lander.land(stream.slice(whole), table, path)
                    if stream.problem:
                        raise stream.problem
                    read, slices = read + landing.read, slices + 1
                    complete = stream.ended and not stream.failure
                    complete = complete and (full or stream.finished_version)
                    if complete:
                        run.refuse_empty(source, table, read)
                    if not whole and (full or stream.versioned):
                        keys.add(path)
                    if landing.read or complete or stream.state not in (None, state):
                        yield run.warehouse.commit(
                            Load(
                                run.run_id,
                                source,
                                table,
                                landing,
                                run.now,
                                complete=complete and slices == 1,
                                keys=keys.landing() if complete and slices > 1 else None,
                                state=stream.state,
                            )
                        )
                        state = stream.state or state
                finally:
                    path.unlink(missing_ok=True)
            for kind in sorted(stream.unknown):
                report.said.append(f"{tap.name} sends {kind} messages, which were left aside")
            if stream.failure:
                raise stream.failure


def _catalog(source: Source, run: Run, tap: singer.Tap) -> dict[str, Any]:
    known_to, catalog = _catalogs.get(source.source, ("", {}))
    if known_to != run.run_id:
        catalog = tap.discover()
        _catalogs[source.source] = (run.run_id, catalog)
    return catalog


class _Keys:
    """The keys of all slices, in a file: whatever else is in raw has vanished."""

    def __init__(self, table: Table, run: Run):
        self._key, self._path = list(table.key), run.landing("keys")
        self._writer: pq.ParquetWriter | None = None
        self._count = 0

    def __enter__(self) -> "_Keys":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._path.unlink(missing_ok=True)

    def add(self, landed: Path) -> None:
        with pq.ParquetFile(landed) as file:
            for batch in file.iter_batches(columns=self._key):
                if self._writer is None:
                    self._path.touch(mode=0o600)
                    self._writer = pq.ParquetWriter(self._path, batch.schema)
                self._writer.write_batch(batch)
                self._count += batch.num_rows

    def landing(self) -> Landing:
        """All keys of at least one slice that had rows."""
        assert self._writer is not None
        self._writer.close()
        return Landing(self._path, self._count, None, "")

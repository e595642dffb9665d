"""What is asked of an API and lands together, as one stream of rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers import ReadError
from extract_load.readers.marks import MARKS, completed
from extract_load.readers.rest.api import Api
from extract_load.readers.rest.rows import Rows, exploded, read_body

_NAMED = 100  # an object's keys may be data


@dataclass(frozen=True)
class Ask:
    """Placeholders of requests for an account; `filled` are columns that the reader knows, `file`
    the name of the extraction, `told` what a person calls it."""

    values: dict[str, Any]
    filled: dict[str, str]
    told: str = ""
    file: str = ""


@dataclass
class Slice:
    """Rows of some asks. Reading fills `undeclared`; see `check` for what went wrong.

    `marked` says that an ask without rows leaves one that has its filled columns only, line 0.
    """

    api: Api
    table: Table
    asks: list[Ask]
    marked: bool = False
    undeclared: set[str] = field(default_factory=set)
    failed: Exception | None = None

    def read(self) -> pa.RecordBatchReader:
        """All rows as one stream, as text. It ends early where an ask fails."""
        files = ("_file", "_line") if self.asks[0].file else ()
        marks = [mark for mark in MARKS if mark[0] in (*files, "_error", "_text")]
        schema = pa.schema([*((column.name, pa.string()) for column in self.table.landed), *marks])

        def batches() -> Iterator[pa.RecordBatch]:
            for ask in self.asks:
                try:
                    yield from completed(self._rows(ask), ask.file, ask.filled, schema)
                except ReadError as error:
                    self.failed = ReadError(f"{ask.told}: {error}" if ask.told else str(error))
                    return
                except Exception as error:  # a mistake of ours, raised where DuckDB can't wrap it
                    self.failed = error
                    return

        return pa.RecordBatchReader.from_batches(schema, batches())

    def check(self) -> None:
        """Raises ReadError where the slice is not whole, so that nothing of it may be kept."""
        if self.failed:
            raise self.failed

    def _rows(self, ask: Ask) -> Iterator[pa.RecordBatch]:
        endpoint = self.table.endpoint
        assert endpoint is not None
        named = set(ask.filled)
        rows, count = Rows(self.table, named), 0
        if endpoint.body:
            for file in self.api.files(self.table, ask.values):
                for batch in read_body(file, endpoint.body, self.table, rows, named):
                    count += batch.num_rows
                    yield batch
        else:
            for page in self.api.rows(self.table, ask.values):
                if page := exploded(page, endpoint.explode):
                    yield rows.batch(page, range(count + 1, count + len(page) + 1))
                    count += len(page)
        self.undeclared |= set(sorted(rows.undeclared)[:_NAMED])
        missing = sorted(set(rows.paths) - rows.seen - set(endpoint.optional))
        if count and missing:
            paths = ", ".join(rows.paths[name] for name in missing)
            raise ReadError(f"no row has {paths}: renamed or gone at the source")
        if not count and self.marked:
            yield pa.RecordBatch.from_pydict({"_line": pa.array([0], pa.int64())})

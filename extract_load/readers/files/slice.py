"""A slice: the files that land together, as one stream of rows."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files import json_lines
from extract_load.readers.files.file import File
from extract_load.readers.files.formats import format_of, named_values, reason, rows_of
from extract_load.readers.files.parquet import parquet_types, query_of
from extract_load.readers.marks import MARKS, completed
from extract_load.readers.scan import Scan

_SLICE_BYTES = 128 * 1024 * 1024
_SLICE_FILES = 1000


@dataclass
class Slice:
    """Files that land together. Reading fills `failed` (name -> reason) and `undeclared`."""

    table: Table
    files: list[File]
    format: str
    failed: dict[str, str] = field(default_factory=dict)
    undeclared: set[str] = field(default_factory=set)

    def read(self) -> Scan | pa.RecordBatchReader:
        """All rows of the slice; a file that breaks is noted and left."""
        if self.format in ("json", "jsonl"):
            columns = [(name, pa.string()) for name in ("_text", *self.table.name_columns)]
            marks = [mark for mark in MARKS if mark[0] in ("_file", "_line")]
            return json_lines.scanned(self.table, self._batches(pa.schema([*columns, *marks])))
        if self.format == "parquet":
            query = query_of(self.files, self.table, self.undeclared)
            if query is not None:
                return Scan(query, otherwise=lambda: self._batches(self._schema()))
        return self._batches(self._schema())

    def _batches(self, schema: pa.Schema) -> pa.RecordBatchReader:

        def batches() -> Iterator[pa.RecordBatch]:
            for file in self.files:
                try:
                    named = {} if file.bare else named_values(file, self.table)
                    rows = rows_of(file, self.table, self.format, self.undeclared)
                    yield from completed(rows, file.name, named, schema)
                except (OSError, EOFError, ValueError, pa.ArrowException, duckdb.Error) as error:
                    self.failed[file.name] = reason(error)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _schema(self) -> pa.Schema:
        types = {column.name: pa.string() for column in self.table.landed}
        if self.format == "parquet":
            # an unreadable file is noted when its rows are read
            with suppress(OSError, pa.ArrowException, StopIteration):
                types |= parquet_types(next(f for f in self.files if f.has_rows), self.table)
        return pa.schema([*types.items(), *MARKS])


def slices(table: Table, files: Iterable[File]) -> Iterator[Slice]:
    """Groups files of one format (and, for Parquet, one schema) into slices of bounded size."""
    group: list[File] = []
    kind: object = None
    size = 0
    for file in files:
        form = format_of(table, file)
        mine: object = form
        if not file.has_rows and group:
            mine = kind
        elif form == "parquet":
            try:
                mine = (form, tuple(sorted(parquet_types(file, table).items())))
            except (OSError, pa.ArrowException):
                mine = (form, file.name)
        if group and (mine != kind or size > _SLICE_BYTES or len(group) >= _SLICE_FILES):
            yield Slice(table, group, format_of(table, group[0]))
            group, size = [], 0
        group.append(file)
        kind, size = mine, size + file.size
    if group:
        yield Slice(table, group, format_of(table, group[0]))

"""A slice: the files that land together, as one stream of rows."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files.delimited import read_delimited
from extract_load.readers.files.file import File
from extract_load.readers.files.json_lines import read_json_lines
from extract_load.readers.files.parquet import parquet_types, read_parquet
from extract_load.readers.marks import MARKS, completed

_SLICE_BYTES = 128 * 1024 * 1024
_SLICE_FILES = 1000
_FORMATS = {
    "csv": "csv",
    "tsv": "csv",
    "txt": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
}
# each takes the file, its table, and a set that it adds undeclared columns to
_READERS = {"csv": read_delimited, "jsonl": read_json_lines, "parquet": read_parquet}


@dataclass
class Slice:
    """Files that land together. Reading fills `failed` (name -> reason) and `undeclared`."""

    table: Table
    files: list[File]
    format: str
    failed: dict[str, str] = field(default_factory=dict)
    undeclared: set[str] = field(default_factory=set)

    def read(self) -> pa.RecordBatchReader:
        """All rows of the slice as one stream; a file that breaks is noted and left."""
        schema = self._schema()

        def batches() -> Iterator[pa.RecordBatch]:
            for file in self.files:
                try:
                    named = _named(file, self.table)
                    yield from completed(self._rows(file), file.name, named, schema)
                except (OSError, EOFError, ValueError, pa.ArrowException, duckdb.Error) as error:
                    self.failed[file.name] = str(error).splitlines()[0][:200]

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _schema(self) -> pa.Schema:
        types = {column.name: pa.string() for column in self.table.landed}
        if self.format == "parquet":
            with suppress(
                OSError, pa.ArrowException
            ):  # an unreadable file is noted when its rows are read
                types |= parquet_types(self.files[0], self.table)
        return pa.schema([*types.items(), *MARKS])

    def _rows(self, file: File) -> Iterator[pa.RecordBatch]:
        return _READERS[self.format](file, self.table, self.undeclared)


def _named(file: File, table: Table) -> dict[str, str]:
    """Columns whose value stands in the file's name."""
    if not table.name_pattern:
        return {}
    match = re.fullmatch(table.name_pattern, Path(file.name).name)
    if match is None:
        raise ValueError(f"the name doesn't match name_pattern {table.name_pattern}")
    return match.groupdict()


def slices(table: Table, files: Iterable[File]) -> Iterator[Slice]:
    """Groups files of one format (and, for Parquet, one schema) into slices of bounded size."""
    group: list[File] = []
    kind: object = None
    size = 0
    for file in files:
        form = _format(table, file)
        mine: object = form
        if form == "parquet":
            try:
                mine = (form, tuple(sorted(parquet_types(file, table).items())))
            except (OSError, pa.ArrowException):
                mine = (form, file.name)
        if group and (mine != kind or size > _SLICE_BYTES or len(group) >= _SLICE_FILES):
            yield Slice(table, group, _format(table, group[0]))
            group, size = [], 0
        group.append(file)
        kind, size = mine, size + file.size
    if group:
        yield Slice(table, group, _format(table, group[0]))


def _format(table: Table, file: File) -> str:
    if table.format:
        return table.format
    for suffix in reversed(Path(file.name).suffixes):
        if suffix.lstrip(".") in _FORMATS:
            return _FORMATS[suffix.lstrip(".")]
    return "csv"

"""Which reader takes which file, and what the readers of all formats have in common."""

import csv
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files.delimited import read_delimited
from extract_load.readers.files.file import File
from extract_load.readers.files.json_documents import read_json_documents
from extract_load.readers.files.json_lines import read_json_lines
from extract_load.readers.files.parquet import read_parquet
from extract_load.readers.files.workbook import read_workbook

# each takes the file, its table, and a set that it adds undeclared columns to
Reader = Callable[[File, Table, set[str]], Iterator[pa.RecordBatch]]
_READERS: dict[str, Reader] = {
    "csv": read_delimited,
    "json": read_json_documents,
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "xlsx": read_workbook,
}
_SUFFIXES = {"tsv": "csv", "txt": "csv", "ndjson": "jsonl"} | {name: name for name in _READERS}
_NAMED_IN_REPORT = 100


def format_of(table: Table, file: File) -> str:
    """The declared format, else the one that the file's name says, else csv."""
    if table.format:
        return table.format
    for suffix in reversed(Path(file.name).suffixes):
        if form := _SUFFIXES.get(suffix.lstrip(".").lower()):
            return form
    return "csv"


def named_values(file: File, table: Table) -> dict[str, str]:
    """Columns whose value stands in the file's name. Raises ValueError where it doesn't match."""
    if not table.name_pattern:
        return {}
    match = re.fullmatch(table.name_pattern, Path(file.name).name)
    if match is None:
        raise ValueError(f"the name doesn't match name_pattern {table.name_pattern}")
    return match.groupdict()


def rows_of(file: File, table: Table, form: str, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """The file's rows; of one without rows a marker, line 0, where the table wants that.

    Raises ValueError, OSError or an Arrow or DuckDB error where the file can't be read.
    """
    if file.problem:
        raise ValueError(file.problem)
    if file.bare:
        return
    found: set[str] = set()
    empty = True
    try:
        for batch in _READERS[form](file, table, found):
            if form == "parquet":
                batch.validate(full=True)  # its texts may be no UTF-8
            empty = empty and not batch.num_rows
            yield batch
    except (zlib.error, csv.Error) as error:
        raise ValueError(f"broken {form}: {error}") from None
    if empty and table.empty == "marked":
        yield pa.RecordBatch.from_pydict({"_line": pa.array([0], pa.int64())})
    undeclared |= set(sorted(found)[:_NAMED_IN_REPORT])
    if more := len(found) - _NAMED_IN_REPORT:
        undeclared |= {f"{more:,} more columns"} if more > 0 else set()


def reason(error: Exception) -> str:
    """One line of what went wrong with a file."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

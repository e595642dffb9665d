"""CSV and TSV: rows as text, with the number of each record."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from extract_load.declaration import Table
from extract_load.readers.files.file import File
from extract_load.readers.files.opening import CHUNK, Utf8, encoding_of, open_file

COLUMNS = 4000
_HEADER_CHARACTERS = 1024 * 1024
# stands behind the last row, so that a quote that is never closed is seen to swallow it
_END = "\x1d\x1eend of file\x1e\x1d"
_UNCLOSED = "a quote that is never closed"


def our_names(theirs: Sequence[str], table: Table, undeclared: set[str]) -> list[str]:
    """A file's column names as ours; '' where undeclared. Raises ValueError on a bad header."""
    if not theirs:
        raise ValueError("the file is empty, not even a header")
    if len(theirs) > COLUMNS:
        raise ValueError(f"{len(theirs):,} columns, more than {COLUMNS:,}")
    declared = {column.name for column in table.columns}
    names: list[str] = []
    for header in theirs:
        name = table.header.get(header.strip(), header.strip())
        if name not in declared or name in table.name_columns:
            undeclared.add(header.strip())
            name = ""
        elif name in names:
            first = theirs[names.index(name)]
            raise ValueError(f"two headers mean {name}: {first.strip()} and {header.strip()}")
        names.append(name)
    expected = declared - set(table.name_columns) - set(table.optional)
    if missing := sorted(expected - set(names)):
        raise ValueError(f"the header lacks {', '.join(missing)}")
    return names


def _header(file: File, encoding: str, delimiter: str) -> tuple[list[str], int]:
    """The header's fields, and how many blank lines are before it."""
    with open_file(file) as stream, io.TextIOWrapper(stream, encoding, errors="replace") as text:
        head = io.StringIO(text.read(_HEADER_CHARACTERS), newline="")
    blank = 0
    for row in csv.reader(head, delimiter=delimiter):
        if head.tell() == _HEADER_CHARACTERS and not head.read(1):
            raise ValueError(f"the header is longer than {_HEADER_CHARACTERS:,} characters")
        if row:
            return row, blank
        blank += 1
    return [], blank


def read_delimited(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """Rows as text with their record number, the header's being 1; blank lines don't count, and a
    quoted value may span lines."""
    encoding = encoding_of(file, table)
    delimiter = table.delimiter or ("\t" if ".tsv" in file.name else ",")
    header, blank = _header(file, encoding, delimiter)
    names = our_names(header, table, undeclared)
    physical = [name or f"undeclared {n}" for n, name in enumerate(names)]
    broken: list[tuple[int, str, str]] = []
    ended = False

    def note(row: pacsv.InvalidRow) -> str:
        nonlocal ended
        if row.text == _END:
            ended = True
        elif _END in row.text:
            ended = True
            broken.append((row.number, _UNCLOSED, row.text.split(_END)[0]))
        else:
            reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
            broken.append((row.number, reason, row.text))
        return "skip"

    with open_file(file) as stream:
        utf8 = Utf8(stream, encoding, end=f"\n{_END}\n".encode())
        with _explained(2):
            reader = pacsv.open_csv(
                io.BufferedReader(utf8, 1024 * 1024),
                read_options=pacsv.ReadOptions(
                    use_threads=False,
                    column_names=physical,
                    skip_rows=blank,
                    skip_rows_after_names=1,
                    block_size=CHUNK,
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(physical, pa.string()),
                    include_columns=[name for name in names if name],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                ),
            )
        yield from _numbered(reader, broken, lambda: ended)


@contextmanager
def _explained(line: int) -> Iterator[None]:
    """Raises ValueError for what the parser says of a row that fills its blocks."""
    try:
        yield
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
        raise ValueError(f"row {line:,} or a later one is longer than {CHUNK:,} bytes") from None


def _numbered(
    reader: pacsv.CSVStreamingReader,
    broken: list[tuple[int, str, str]],
    ended: Callable[[], bool],
) -> Iterator[pa.RecordBatch]:
    """Batches with record numbers, and the broken rows, which are taken out of the list."""
    line, gaps, held = 2, np.array([], dtype=np.int64), None
    while True:
        with _explained(line):
            batch = next(reader, None)
        if batch is None:
            break
        gaps = np.append(gaps[gaps >= line], [number for number, *_ in broken]).astype(np.int64)
        yield _broken_rows(broken)
        broken.clear()
        if not batch.num_rows:
            continue
        if held is not None:
            yield held
        # the numbers from here on, without those of broken rows
        numbers = np.arange(line, line + batch.num_rows + len(gaps), dtype=np.int64)
        numbers = numbers[~np.isin(numbers, gaps)][: batch.num_rows]
        line = int(numbers[-1]) + 1
        held = batch.append_column("_line", pa.array(numbers))
    yield _broken_rows(broken)
    if held is None:
        return
    *values, line = (column[-1].as_py() for column in held.columns)
    if ended():
        yield held
        return
    # the mark of the end is a row of its own in a file of one column; else a quote swallowed it
    yield held.slice(0, held.num_rows - 1)
    if values != [_END]:
        yield _broken_rows([(line, _UNCLOSED, "".join(filter(None, values)).split(_END)[0])])


def _broken_rows(broken: list[tuple[int, str, str]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "_line": pa.array([line for line, _, _ in broken], pa.int64()),
            "_error": pa.array([reason for _, reason, _ in broken], pa.string()),
            "_text": pa.array([text for _, _, text in broken], pa.string()),
        }
    )

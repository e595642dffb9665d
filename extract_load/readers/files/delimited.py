"""CSV and TSV: rows as text, with the number of each record."""

import csv
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from extract_load.declaration import Table
from extract_load.readers.files.file import File
from extract_load.readers.files.opening import CHUNK, Utf8, encoding_of, open_file


def _header(
    file: File, table: Table, undeclared: set[str], encoding: str, delimiter: str
) -> list[str]:
    """The file's column names as ours; '' where undeclared. Raises ValueError on a bad header."""
    with open_file(file) as stream, io.TextIOWrapper(stream, encoding, errors="replace") as text:
        theirs = next(csv.reader(text, delimiter=delimiter), [])
    if not theirs:
        raise ValueError("the file is empty, not even a header")
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
    expected = declared - set(table.name_columns)
    if missing := sorted(expected - set(names)):
        raise ValueError(f"the header lacks {', '.join(missing)}")
    return names


def read_delimited(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """Rows as text with their record number; a quoted value may span lines."""
    encoding = encoding_of(file, table)
    delimiter = table.delimiter or ("\t" if ".tsv" in file.name else ",")
    names = _header(file, table, undeclared, encoding, delimiter)
    physical = [name or f"undeclared {n}" for n, name in enumerate(names)]
    broken: dict[int, tuple[str, str]] = {}

    def note(row: pacsv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        broken[row.number] = (reason, row.text)
        return "skip"

    with open_file(file) as stream:
        reader = pacsv.open_csv(
            io.BufferedReader(Utf8(stream, encoding), 1024 * 1024),
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=physical, skip_rows=1, block_size=CHUNK
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
        line = 2
        for batch in reader:
            numbers, line = _numbers(line, batch.num_rows, sorted(broken))
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, pa.array(numbers)], names=[*batch.schema.names, "_line"]
            )
    if broken:
        yield _broken_rows(broken)


def _numbers(first: int, count: int, broken: list[int]) -> tuple[np.ndarray, int]:
    """Record numbers of `count` good rows from `first` on, leaving out the broken ones."""
    numbers = np.arange(first, first + count + len(broken), dtype=np.int64)
    numbers = numbers[~np.isin(numbers, np.array(broken, dtype=np.int64))][:count]
    return numbers, int(numbers[-1]) + 1 if count else first


def _broken_rows(broken: dict[int, tuple[str, str]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "_line": pa.array(broken, pa.int64()),
            "_error": [reason for reason, _ in broken.values()],
            "_text": [text for _, text in broken.values()],
        }
    )

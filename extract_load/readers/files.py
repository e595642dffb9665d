"""Reads dropped files: CSV/TSV, JSON lines and Parquet, plain, gzip or zstd."""

import codecs
import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from extract_load.declaration import Source, Table

_CHUNK = 16 * 1024 * 1024
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
_MARKS = [
    ("_file", pa.string()),
    ("_line", pa.int64()),
    ("_error", pa.string()),
    ("_text", pa.string()),
]


@dataclass(frozen=True)
class File:
    """A file under the source's root. `name` is its path there; `digest` its content's SHA-256."""

    path: Path
    name: str
    size: int
    modified: int
    digest: str = ""


@dataclass
class Slice:
    """Files that land together. Reading fills `failed` (name -> reason) and `undeclared`."""

    table: Table
    files: list[File]
    format: str
    failed: dict[str, str] = field(default_factory=dict)
    undeclared: set[str] = field(default_factory=set)

    @cached_property
    def json(self) -> duckdb.DuckDBPyConnection:
        """Takes JSON lines apart, set-based; opened where a slice has any."""
        return duckdb.connect(":memory:")

    def read(self) -> pa.RecordBatchReader:
        """All rows of the slice as one stream; a file that breaks is noted and left."""
        schema = self._schema()

        def batches() -> Iterator[pa.RecordBatch]:
            for file in self.files:
                try:
                    yield from _with_name_columns(self._rows(file), file, self.table, schema)
                except (OSError, EOFError, ValueError, pa.ArrowException, duckdb.Error) as error:
                    self.failed[file.name] = str(error).splitlines()[0][:200]

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _schema(self) -> pa.Schema:
        types = {column.name: pa.string() for column in self.table.landed}
        if self.format == "parquet":
            with suppress(
                OSError, pa.ArrowException
            ):  # an unreadable file is noted when its rows are read
                types |= _parquet_types(self.files[0], self.table)
        return pa.schema([*types.items(), *_MARKS])

    def _rows(self, file: File) -> Iterator[pa.RecordBatch]:
        if self.format == "parquet":
            return _read_parquet(file, self)
        if self.format == "jsonl":
            return _read_json_lines(file, self)
        return _read_csv(file, self)


def find(source: Source, table: Table) -> list[File]:
    """The table's files in path order, without content hashes.

    Raises ValueError where the root is no folder. Symbolic links and anything but regular files
    inside the root are left out: a landing folder must not reach elsewhere.
    """
    root = Path(source.place())
    if not root.is_dir():
        raise ValueError(f"source {source.source}: its root is not a folder")
    root = root.resolve()
    found = {}
    for pattern in table.path:
        for path in root.glob(pattern):
            if path.is_symlink() or not path.is_file() or path.resolve() != path:
                continue
            status = path.stat()
            name = path.relative_to(root).as_posix()
            found[name] = File(path, name, status.st_size, status.st_mtime_ns)
    return [found[name] for name in sorted(found)]


def hashed(file: File) -> File:
    """The file with its content's hash, which is its identity wherever it lies."""
    with file.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return File(file.path, file.name, file.size, file.modified, digest)


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
                mine = (form, tuple(sorted(_parquet_types(file, table).items())))
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


def _with_name_columns(
    batches: Iterator[pa.RecordBatch], file: File, table: Table, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Completes each batch: columns from the file's name, its path, and nulls for what it lacks."""
    named = {}
    if table.name_pattern:
        match = re.fullmatch(table.name_pattern, Path(file.name).name)
        if match is None:
            raise ValueError(f"the name doesn't match name_pattern {table.name_pattern}")
        named = match.groupdict()
    for batch in batches:
        rows = batch.num_rows
        columns = []
        for name, kind in zip(schema.names, schema.types, strict=True):
            if name == "_file":
                columns.append(pa.repeat(pa.scalar(file.name, kind), rows))
            elif name in named:
                columns.append(pa.repeat(pa.scalar(named[name], kind), rows))
            elif name in batch.schema.names:
                columns.append(batch.column(name).cast(kind))
            else:
                columns.append(pa.nulls(rows, kind))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


# -- opening and decoding ------------------------------------------------------------------------


def _open(file: File) -> BinaryIO:
    suffix = Path(file.name).suffix
    if suffix in (".gz", ".gzip"):
        return gzip.open(file.path, "rb")  # type: ignore[return-value]
    if suffix in (".zst", ".zstd"):
        return pa.CompressedInputStream(pa.OSFile(str(file.path)), "zstd")
    return file.path.open("rb")


def _encoding(file: File, table: Table) -> str:
    """The declared encoding, else UTF-8 (with or without BOM) where all bytes are, else CP949."""
    if table.encoding:
        return table.encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _open(file) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp949"
    return "utf-8-sig"


class _Utf8(io.RawIOBase):
    """A byte stream of any encoding as UTF-8; bytes that don't decode become U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = self._stream.read(1024 * 1024)
            self._rest = self._decoder.decode(chunk, final=not chunk).encode()
            if not chunk:
                break
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


# -- CSV -----------------------------------------------------------------------------------------


def _header(file: File, part: Slice, encoding: str, delimiter: str) -> list[str]:
    """The file's column names as ours; '' where undeclared. Raises ValueError on a bad header."""
    table = part.table
    with _open(file) as stream, io.TextIOWrapper(stream, encoding, errors="replace") as text:
        theirs = next(csv.reader(text, delimiter=delimiter), [])
    if not theirs:
        raise ValueError("the file is empty, not even a header")
    declared = {column.name for column in table.columns}
    names: list[str] = []
    for header in theirs:
        name = table.header.get(header.strip(), header.strip())
        if name not in declared or name in table.name_columns:
            part.undeclared.add(header.strip())
            name = ""
        elif name in names:
            first = theirs[names.index(name)]
            raise ValueError(f"two headers mean {name}: {first.strip()} and {header.strip()}")
        names.append(name)
    expected = declared - set(table.name_columns)
    if missing := sorted(expected - set(names)):
        raise ValueError(f"the header lacks {', '.join(missing)}")
    return names


def _read_csv(file: File, part: Slice) -> Iterator[pa.RecordBatch]:
    """Rows as text with their record number; a quoted value may span lines."""
    table = part.table
    encoding = _encoding(file, table)
    delimiter = table.delimiter or ("\t" if ".tsv" in file.name else ",")
    names = _header(file, part, encoding, delimiter)
    physical = [name or f"undeclared {n}" for n, name in enumerate(names)]
    broken: dict[int, tuple[str, str]] = {}

    def note(row: pacsv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        broken[row.number] = (reason, row.text)
        return "skip"

    with _open(file) as stream:
        reader = pacsv.open_csv(
            io.BufferedReader(_Utf8(stream, encoding), 1024 * 1024),
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=physical, skip_rows=1, block_size=_CHUNK
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


# -- JSON lines ----------------------------------------------------------------------------------


def _read_json_lines(file: File, part: Slice) -> Iterator[pa.RecordBatch]:
    """One JSON object a line, values as text; nested values stay JSON text."""
    names = [
        column.name for column in part.table.landed if column.name not in part.table.name_columns
    ]
    theirs = {ours: header for header, ours in part.table.header.items()}
    paths = [f'$."{theirs.get(name, name)}"' for name in names]
    values = ", ".join(f'fields[{n}] as "{name}"' for n, name in enumerate(names, 1))
    declared = [column.name for column in part.table.columns] + list(part.table.header)
    query = f"""
        with parsed as (
            select
                *,
                -- nested, because an AND would look into invalid text too
                case when json_valid(_text) then
                    case when json_type(_text) = 'OBJECT'
                        then json_extract_string(_text, $paths) end
                end as fields
            from lines
            where trim(_text, chr(9) || chr(13) || ' ') <> ''
        )
        select
            {values},
            _line,
            case when fields is null then 'not a JSON object' end as _error,
            case when fields is null then _text end as _text
        from parsed
    """
    line = 1
    for lines in _lines(file, _encoding(file, part.table)):
        texts = pa.table({"_text": lines, "_line": np.arange(line, line + len(lines))})
        part.json.register("lines", texts)
        if line == 1:
            keys = part.json.execute(
                "select distinct unnest(case when json_valid(_text) then json_keys(_text) end)"
                " from (from lines limit 1000)"
            ).fetchall()
            part.undeclared |= {key for (key,) in keys} - set(declared)
        yield from part.json.sql(query, params={"paths": paths}).to_arrow_table().to_batches()
        line += len(lines)


def _lines(file: File, encoding: str) -> Iterator[pa.Array]:
    """The file's lines, in arrays of some megabytes."""
    rest = ""
    with (
        _open(file) as stream,
        io.TextIOWrapper(stream, encoding, errors="replace", newline="\n") as text,
    ):
        while chunk := text.read(_CHUNK):
            head, newline, tail = (rest + chunk).rpartition("\n")
            if newline:
                yield pa.array(head.split("\n"), pa.string())
            rest = tail
    if rest:
        yield pa.array([rest], pa.string())


# -- Parquet -------------------------------------------------------------------------------------


def _parquet_types(file: File, table: Table) -> dict[str, pa.DataType]:
    """Types of the declared columns; text stays text, other odd types are read as text."""
    schema = pq.read_schema(file.path)
    theirs = {ours: header for header, ours in table.header.items()}
    types = {}
    for column in table.landed:
        name = theirs.get(column.name, column.name)
        if name in schema.names:
            kind = schema.field(name).type
            plain = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
            types[column.name] = kind if plain else pa.string()
    return types


def _read_parquet(file: File, part: Slice) -> Iterator[pa.RecordBatch]:
    theirs = {ours: header for header, ours in part.table.header.items()}
    parquet = pq.ParquetFile(file.path)
    there = set(parquet.schema_arrow.names)
    wanted = {
        column.name: theirs.get(column.name, column.name)
        for column in part.table.landed
        if column.name not in part.table.name_columns
    }
    if missing := sorted(set(wanted.values()) - there):
        raise ValueError(f"the file lacks column {', '.join(missing)}")
    declared = {theirs.get(column.name, column.name) for column in part.table.columns}
    part.undeclared |= there - declared
    line = 1
    for batch in parquet.iter_batches(batch_size=131_072, columns=list(wanted.values())):
        columns = [batch.column(theirs_name) for theirs_name in wanted.values()]
        numbers = pa.array(np.arange(line, line + batch.num_rows, dtype=np.int64))
        yield pa.RecordBatch.from_arrays([*columns, numbers], names=[*wanted, "_line"])
        line += batch.num_rows

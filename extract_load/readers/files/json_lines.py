"""JSON lines: lines as they are, and the query that takes them apart."""

import codecs
import io
from collections.abc import Callable, Iterator
from functools import cache

import duckdb
import numpy as np
import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.exact_numbers import INEXACT, marked, unmarked
from extract_load.readers.files.file import File
from extract_load.readers.files.opening import CHUNK, Utf8, encoding_of, open_file
from extract_load.readers.scan import Scan, quoted

_BOM = b"\xef\xbb\xbf"
_SEEN_FOR_KEYS = 1000
# extracted texts that may have been numbers other than they look, or hold such
_READ = r"(?s)^(?:-?[0-9]+(?:\.[0-9]+|e)|0$|[{\[].*[:\[,](?:-?[0-9]+[.e]|0[,\]}]))"


def read_json_lines(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """The file's lines and their numbers, as `_text` and `_line`; what they say is for `scanned`.

    Keys of the first lines that aren't declared are added to `undeclared`.
    """
    line = 1
    for texts in _lines(file, table):
        if line == 1:
            undeclared |= _keys(texts[:_SEEN_FOR_KEYS]) - {c.name for c in table.columns}
            undeclared -= set(table.header)
        numbers = pa.array(np.arange(line, line + len(texts)))
        yield pa.RecordBatch.from_arrays([texts, numbers], names=["_text", "_line"])
        line += len(texts)


def scanned(table: Table, batches: pa.RecordBatchReader) -> Scan:
    """One JSON object a line, its values as text; nested values stay JSON text.

    `batches` has `_text`, `_line`, `_file`, and the columns whose value stands in the file's name.
    A number lands as it is written.
    """
    columns = [column for column in table.landed if column.name not in table.name_columns]
    paths = ", ".join(quoted(f'$."{table.theirs(c.name)}"') for c in columns)
    values = [f'fields[{n}] as "{column.name}"' for n, column in enumerate(columns, 1)]
    values += [f'"{name}"' for name in table.name_columns]
    texts = [f"plain[{n}]" for n, c in enumerate(columns, 1) if c.type in ("string", "numeric")]
    # whether it starts like a number or a nested value costs less to ask
    starts = "({0} < ':' or starts_with({0}, '{{') or starts_with({0}, '['))"
    doubles = [f"{starts.format(t)} and regexp_matches({t}, {quoted(_READ)})" for t in texts]
    return Scan(
        f"""
        with taken_apart as (
            select
                *,
                -- nested, because an AND would look into other text too
                case when starts_with(ltrim(_text, chr(9) || ' '), '{{')
                    then try(json_extract_string(_text, [{paths}])) end as plain
            from batches
            where _line = 0 or ltrim(_text, chr(9) || chr(10) || chr(13) || ' ') <> ''
        ),
        exact as (
            select
                *,
                case
                    when ({" or ".join(["false", *doubles])})
                        and regexp_matches(_text, {quoted(INEXACT)})
                    then list_transform(
                        json_extract_string({marked("_text")}, [{paths}]),
                        lambda v: {unmarked("v")})
                    else plain
                end as fields
            from taken_apart
        )
        select
            {", ".join(values)},
            _file,
            _line,
            case when fields is null and _line > 0 then 'not a JSON object' end as _error,
            case when fields is null then rtrim(_text, chr(10) || chr(13)) end as _text
        from exact
        """,
        batches,
    )


def _keys(texts: pa.Array) -> set[str]:
    lines = pa.table({"_text": texts})  # noqa: F841 -- DuckDB finds it by its name
    with duckdb.connect(":memory:") as connection:
        keys = connection.execute(
            "select distinct unnest(case when json_valid(_text) then json_keys(_text) end)"
            " from lines"
        ).fetchall()
    return {key for (key,) in keys}


def _lines(file: File, table: Table) -> Iterator[pa.Array]:
    """The file's lines as UTF-8, their ends included, in arrays of some megabytes."""
    encoding = None if file.lines else table.encoding
    with open_file(file) as stream:
        head = stream.read(len(_BOM))
    if encoding is None and head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    # only where it isn't what nearly all files are, the whole file is looked at
    otherwise = cache(lambda: "utf-8" if file.lines else encoding_of(file, table))
    stream = open_file(file)
    if encoding:
        # an encoding of which the decoder knows where its lines end
        stream = io.BufferedReader(Utf8(stream, encoding), CHUNK)
    with stream:
        rest = [stream.read(len(_BOM)).removeprefix(_BOM)]
        while chunk := stream.read(CHUNK):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield _split(_utf8(b"".join([*rest, chunk[:cut]]), otherwise))
                rest = []
            rest.append(chunk[cut:])
        if any(rest):
            yield _split(_utf8(b"".join(rest), otherwise))


def _utf8(lines: bytes, otherwise: Callable[[], str]) -> bytes:
    """Lines as UTF-8, which they nearly always are; `otherwise` says what else they are."""
    try:
        if not lines.isascii():
            lines.decode()
        return lines
    except UnicodeDecodeError:
        return lines.decode(otherwise(), "replace").encode()


def _split(text: bytes) -> pa.Array:
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
    if not len(ends) or ends[-1] < len(text):
        ends = np.append(ends, len(text))
    offsets = pa.py_buffer(np.concatenate([[0], ends]).astype(np.int32))
    return pa.Array.from_buffers(pa.string(), len(ends), [None, offsets, pa.py_buffer(text)])

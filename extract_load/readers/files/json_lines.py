"""JSON lines: one object a line, taken apart set-based."""

import io
from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files.file import File
from extract_load.readers.files.opening import CHUNK, encoding_of, open_file


def read_json_lines(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """One JSON object a line, values as text; nested values stay JSON text."""
    names = [column.name for column in table.landed if column.name not in table.name_columns]
    theirs = {ours: header for header, ours in table.header.items()}
    paths = [f'$."{theirs.get(name, name)}"' for name in names]
    values = ", ".join(f'fields[{n}] as "{name}"' for n, name in enumerate(names, 1))
    declared = [column.name for column in table.columns] + list(table.header)
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
    connection = duckdb.connect(":memory:")
    line = 1
    for lines in _lines(file, encoding_of(file, table)):
        texts = pa.table({"_text": lines, "_line": np.arange(line, line + len(lines))})
        connection.register("lines", texts)
        if line == 1:
            keys = connection.execute(
                "select distinct unnest(case when json_valid(_text) then json_keys(_text) end)"
                " from (from lines limit 1000)"
            ).fetchall()
            undeclared |= {key for (key,) in keys} - set(declared)
        yield from connection.sql(query, params={"paths": paths}).to_arrow_table().to_batches()
        line += len(lines)


def _lines(file: File, encoding: str) -> Iterator[pa.Array]:
    """The file's lines, in arrays of some megabytes."""
    rest = ""
    with (
        open_file(file) as stream,
        io.TextIOWrapper(stream, encoding, errors="replace", newline="\n") as text,
    ):
        while chunk := text.read(CHUNK):
            head, newline, tail = (rest + chunk).rpartition("\n")
            if newline:
                yield pa.array(head.split("\n"), pa.string())
            rest = tail
    if rest:
        yield pa.array([rest], pa.string())

"""Parquet: typed columns as they are, odd types as text."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from extract_load.declaration import Table
from extract_load.readers.files.file import File
from extract_load.readers.scan import quoted

# what DuckDB reads from a file just as Arrow does
_ALIKE = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_float32,
    pa.types.is_float64,
    pa.types.is_date32,
    pa.types.is_timestamp,
    pa.types.is_decimal128,
)


def parquet_types(file: File, table: Table) -> dict[str, pa.DataType]:
    """Types of the declared columns; text stays text, other odd types are read as text."""
    schema = pq.read_schema(file.path)
    found = {}
    for name, header in _wanted(table).items():
        if header in schema.names:
            kind = schema.field(header).type
            plain = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
            found[name] = kind if plain else pa.string()
    return found


def read_parquet(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    parquet = pq.ParquetFile(file.path)
    wanted = _wanted(table)
    there = set(parquet.schema_arrow.names)
    lacking = {name: header for name, header in wanted.items() if header not in there}
    if missing := sorted(lacking[name] for name in lacking.keys() - set(table.optional)):
        raise ValueError(f"the file lacks column {', '.join(missing)}")
    wanted = {name: header for name, header in wanted.items() if name not in lacking}
    undeclared |= there - _declared(table)
    line = 1
    for batch in parquet.iter_batches(batch_size=131_072, columns=list(wanted.values())):
        columns = [batch.column(header) for header in wanted.values()]
        numbers = pa.array(np.arange(line, line + batch.num_rows, dtype=np.int64))
        yield pa.RecordBatch.from_arrays([*columns, numbers], names=[*wanted, "_line"])
        line += batch.num_rows


def query_of(files: Sequence[File], table: Table, undeclared: set[str]) -> str | None:
    """The rows of all files as a query of DuckDB, with `_file` and `_line`; None where only
    `read_parquet` can tell what is in them, or which of them can't be read."""
    if table.empty == "marked" or table.name_pattern or not all(f.has_rows for f in files):
        return None
    wanted = _wanted(table)
    found: set[str] = set()
    for file in files:
        try:
            schema = pq.read_schema(file.path)
        except (OSError, pa.ArrowException):
            return None
        names = {name.lower() for name in schema.names}
        if not set(wanted.values()) <= set(schema.names) or len(names) < len(schema.names):
            return None
        if not all(any(alike(schema.field(h).type) for alike in _ALIKE) for h in wanted.values()):
            return None
        found |= set(schema.names)
    # a file's name is what its path has behind the root; a path must not read as a pattern
    root = str(files[0].path).removesuffix(files[0].name)
    if any(set(str(f.path)) & set("*?[]{}") for f in files) or any(
        str(f.path) != root + f.name for f in files
    ):
        return None
    undeclared |= found - _declared(table)
    paths = ", ".join(quoted(str(file.path)) for file in files)
    columns = ", ".join(f'"{header}" as "{name}"' for name, header in wanted.items())
    return f"""
        select
            {columns},
            substr(_path, {len(root) + 1}) as _file,
            file_row_number + 1 as _line
        from read_parquet(
            [{paths}], filename = '_path', file_row_number = true, hive_partitioning = false
        )
    """


def _wanted(table: Table) -> dict[str, str]:
    """What the files call the columns that stand in them, by our names."""
    names = [c.name for c in table.landed if c.name not in table.name_columns]
    return {name: table.theirs(name) for name in names}


def _declared(table: Table) -> set[str]:
    return {table.theirs(column.name) for column in table.columns}

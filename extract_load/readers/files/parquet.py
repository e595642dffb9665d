"""Parquet: typed columns as they are, odd types as text."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from extract_load.declaration import Table
from extract_load.readers.files.file import File


def parquet_types(file: File, table: Table) -> dict[str, pa.DataType]:
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


def read_parquet(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    theirs = {ours: header for header, ours in table.header.items()}
    parquet = pq.ParquetFile(file.path)
    there = set(parquet.schema_arrow.names)
    wanted = {
        column.name: theirs.get(column.name, column.name)
        for column in table.landed
        if column.name not in table.name_columns
    }
    if missing := sorted(set(wanted.values()) - there):
        raise ValueError(f"the file lacks column {', '.join(missing)}")
    declared = {theirs.get(column.name, column.name) for column in table.columns}
    undeclared |= there - declared
    line = 1
    for batch in parquet.iter_batches(batch_size=131_072, columns=list(wanted.values())):
        columns = [batch.column(theirs_name) for theirs_name in wanted.values()]
        numbers = pa.array(np.arange(line, line + batch.num_rows, dtype=np.int64))
        yield pa.RecordBatch.from_arrays([*columns, numbers], names=[*wanted, "_line"])
        line += batch.num_rows

"""What every row of a file-like slice carries beside its columns: where it stood."""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

# `_error` and `_text` mark a row that the reader could not take apart
MARKS = [
    ("_file", pa.string()),
    ("_line", pa.int64()),
    ("_error", pa.string()),
    ("_text", pa.string()),
]


def completed(
    batches: Iterable[pa.RecordBatch], file: str, named: Mapping[str, str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Each batch in the slice's schema: `file`, columns whose value is `named`, nulls elsewhere."""
    for batch in batches:
        rows = batch.num_rows
        columns = []
        for name, kind in zip(schema.names, schema.types, strict=True):
            if name == "_file":
                columns.append(pa.repeat(pa.scalar(file, kind), rows))
            elif name in named:
                columns.append(pa.repeat(pa.scalar(named[name], kind), rows))
            elif name in batch.schema.names:
                columns.append(batch.column(name).cast(kind))
            else:
                columns.append(pa.nulls(rows, kind))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)

"""Rows that DuckDB takes apart itself, on all cores, instead of batches that a reader made."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Scan:
    """A query of DuckDB whose rows are as a reader's, over files or over a stream called `batches`.

    Without `batches` it may run more than once. `otherwise` is the same rows as a reader hands
    them, for where the query fails: it can tell which file broke.
    """

    query: str
    batches: pa.RecordBatchReader | None = None
    otherwise: Callable[[], pa.RecordBatchReader] | None = None


def quoted(text: str) -> str:
    """The text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"

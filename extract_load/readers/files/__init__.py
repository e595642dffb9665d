"""Reads dropped files: CSV/TSV, JSON and JSON lines, Parquet and XLSX, plain, gzip, zstd or zip."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from extract_load.declaration import Source, Table
from extract_load.readers import ReadError
from extract_load.readers.files.archive import is_archive, members
from extract_load.readers.files.file import File
from extract_load.readers.files.formats import named_values
from extract_load.readers.files.opening import changed
from extract_load.readers.files.slice import Slice, slices
from extract_load.readers.files.storage import LeftForLater, Storage, storage_of

__all__ = ["File", "LeftForLater", "Slice", "changed", "find", "is_archive", "parts", "slices",
           "storage_of"]  # fmt: skip


def find(source: Source, table: Table) -> list[File]:
    """The table's files by name, without content hashes. Raises ValueError or ReadError."""
    return storage_of(source).find(table.path)


def parts(storage: Storage, file: File, table: Table, copy: Callable[[], Path]) -> Iterator[File]:
    """The file within reach and with its digest, or an archive's members and then the archive.

    The digest is of what the file says: its content, and the values in its name. `copy` gives a
    path for a copy. Raises LeftForLater where the file just changes.
    """
    try:
        taken = storage.take(file, copy)
    except (OSError, ReadError) as error:
        # a time that no file has, so that the next run tries again
        reason = getattr(error, "strerror", None) or str(error)
        yield replace(file, modified=-1, inode=0, problem=reason)
        return
    for part in members(taken, copy) if is_archive(taken) else (taken,):
        try:
            named = "" if part.bare else repr(sorted(named_values(part, table).items()))
        except ValueError as error:
            part, named = replace(part, problem=part.problem or str(error)), ""
        if table.name_pattern and part.digest:
            said = f"{part.digest}/{named}"
            part = replace(part, digest=hashlib.sha256(said.encode()).hexdigest())
        yield part

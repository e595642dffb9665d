"""Reads dropped files: CSV/TSV, JSON lines and Parquet, plain, gzip or zstd."""

import hashlib
from pathlib import Path

from extract_load.declaration import Source, Table
from extract_load.readers.files.file import File
from extract_load.readers.files.slice import Slice, slices

__all__ = ["File", "Slice", "find", "hashed", "slices"]


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

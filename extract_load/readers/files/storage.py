"""Where files are dropped: a folder, or a bucket of S3 or Google Cloud Storage."""

import hashlib
import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from extract_load.declaration import DeclarationError, Source
from extract_load.readers import ReadError
from extract_load.readers.files.file import File
from extract_load.readers.files.opening import CHUNK, changed, open_as_found

_BUCKETS = ("s3", "gs", "gcs")


class LeftForLater(Exception):
    """A file that changes while it is looked at; the next run reads it."""


class Storage(ABC):
    """The files under a source's root."""

    @abstractmethod
    def find(self, patterns: Iterable[str]) -> list[File]:
        """The files that match, by name, without content hashes. Raises ReadError or ValueError."""

    @abstractmethod
    def take(self, file: File, copy: Callable[[], Path]) -> File:
        """The file with its content's hash, its bytes within reach: as they lie, or at a path
        that `copy` gives.

        Raises OSError or ReadError where it can't be read, LeftForLater where it just changes.
        """


def storage_of(source: Source) -> Storage:
    """Raises ValueError where the root is no folder, DeclarationError on another kind of root."""
    root = source.place()
    protocol, separator, path = root.partition("://")
    if not separator:
        return Folder(source, Path(root))
    if protocol not in _BUCKETS:
        raise DeclarationError(
            f"{source.file}:{source.place_line}: root is a folder, s3://… or gs://…"
        )
    return Bucket(source, protocol, path.strip("/"))


class Folder(Storage):
    """A local folder. What is no regular file, or lies elsewhere by a link, is left out: a landing
    folder must not reach beyond itself."""

    def __init__(self, source: Source, root: Path):
        if not root.is_dir():
            raise ValueError(f"source {source.source}: its root is not a folder")
        self.root = root.resolve()

    def find(self, patterns: Iterable[str]) -> list[File]:
        found = {}
        for pattern in patterns:
            for path in self.root.glob(pattern):
                if path.is_symlink() or not path.is_file() or path.resolve() != path:
                    continue
                status = path.stat()
                name = path.relative_to(self.root).as_posix()
                found[name] = File(
                    path, name, status.st_size, status.st_mtime_ns, inode=status.st_ino
                )
        return [found[name] for name in sorted(found)]

    def take(self, file: File, copy: Callable[[], Path]) -> File:
        try:
            with open_as_found(file.path, file.inode) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            if changed(file):
                raise LeftForLater from None
            raise
        if changed(file):
            raise LeftForLater
        return replace(file, digest=digest)


class Bucket(Storage):
    """A prefix of a bucket, through fsspec. Each file is fetched once, to a copy of mode 0600.

    What goes wrong is told by its kind only: the text of an error may hold an address or a key.
    """

    def __init__(self, source: Source, protocol: str, root: str):
        self.root, self.shown = root, source.place_as_declared
        options = source.filled(source.storage, "storage")
        try:
            self._files = fsspec.filesystem(
                protocol, **options, use_listings_cache=False, skip_instance_cache=True
            )
        except Exception as error:
            raise self._failure(error) from None

    def find(self, patterns: Iterable[str]) -> list[File]:
        found = {}
        for pattern in patterns:
            try:
                listed = self._files.glob(f"{self.root}/{pattern}", detail=True)
            except Exception as error:
                raise self._failure(error) from None
            for path, about in listed.items():
                if about["type"] == "file" and not path.endswith("/"):
                    name = path.removeprefix(f"{self.root}/")
                    found[name] = File(Path(path), name, about["size"] or 0, _modified(about))
        return [found[name] for name in sorted(found)]

    def take(self, file: File, copy: Callable[[], Path]) -> File:
        path, local = f"{self.root}/{file.name}", copy()
        try:
            with self._files.open(path, "rb", block_size=CHUNK) as stream:
                size, digest = copied(stream, local)
            about = self._files.info(path)
        except FileNotFoundError:
            raise LeftForLater from None
        except Exception as error:
            raise self._failure(error) from None
        if (size, _modified(about)) != (file.size, file.modified):
            raise LeftForLater
        return replace(file, path=local, digest=digest)

    def _failure(self, error: Exception) -> ReadError:
        if isinstance(error, FileNotFoundError):
            reason = "there is no such bucket or folder"
        elif isinstance(error, PermissionError):
            reason = "access is denied: check the keys in storage, and what they may read"
        else:
            reason = f"it can't be read ({type(error).__name__}): check storage and the network"
        return ReadError(f"{self.shown}: {reason}")


def copied(stream: BinaryIO, path: Path) -> tuple[int, str]:
    """Copies a stream to a new file of mode 0600 and returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
    return size, digest.hexdigest()


def _modified(about: Mapping[str, Any]) -> int:
    """Nanoseconds since 1970 to the second; below it a trace of the ETag, as it tells versions of a
    second apart."""
    at = next((about[key] for key in ("LastModified", "updated", "mtime") if about.get(key)), 0)
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if isinstance(at, datetime):
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    version = str(about.get("ETag") or about.get("etag") or about.get("generation") or "")
    return int(at) * 1_000_000_000 + zlib.crc32(version.encode()) % 1_000_000_000

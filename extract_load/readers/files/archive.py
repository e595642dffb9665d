"""Archives (zip): each member is a file, `archive.zip/member.csv`."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from extract_load.readers.files.file import File
from extract_load.readers.files.opening import RATIO, UNPACKED_BYTES, open_as_found
from extract_load.readers.files.storage import copied

_MEMBERS = 100_000


def is_archive(file: File) -> bool:
    return file.name.lower().endswith(".zip")


def members(archive: File, copy: Callable[[], Path]) -> Iterator[File]:
    """The members, each unpacked to a path that `copy` gives, and last the archive itself.

    Nothing is unpacked under a name of the archive's. What can't be read comes with its problem: a
    member that is encrypted, too big or an archive itself, or the archive as a whole.
    """
    problem = None
    try:
        with (
            open_as_found(archive.path, archive.inode) as stream,
            _opened(stream) as unpacked,
        ):
            found = _listed(unpacked)
            for member in found:
                yield _member(archive, unpacked, member, copy())
    except Exception as error:  # broken bytes have errors of every kind
        problem = str(error) or type(error).__name__
    # last, so that once it is remembered all of its members are
    yield replace(archive, bare=problem is None, problem=problem)


def _opened(stream: BinaryIO) -> zipfile.ZipFile:
    try:
        # names without a mark of their encoding come from Korean Windows
        return zipfile.ZipFile(stream, metadata_encoding="cp949")
    except UnicodeDecodeError:
        return zipfile.ZipFile(stream)


def _listed(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    found = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        # what macOS adds
        and not member.filename.startswith("__MACOSX/")
        and not member.filename.endswith(".DS_Store")
    ]
    if len(found) > _MEMBERS:
        raise ValueError(f"{len(found):,} members, more than {_MEMBERS:,}")
    size, packed = sum(member.file_size for member in found), sum(m.compress_size for m in found)
    # members may overlap, so what they say of their packed size is no measure
    packed = min(packed, archive.fp.seek(0, 2))  # type: ignore[union-attr]
    if size > max(UNPACKED_BYTES, RATIO * packed):
        raise ValueError(f"it unpacks to {size:,} bytes from {packed:,}")
    seen: set[str] = set()
    for member in found:
        if member.filename in seen:
            raise ValueError(f"two members are called {member.filename}")
        seen.add(member.filename)
    return found


def _member(archive: File, unpacked: zipfile.ZipFile, member: zipfile.ZipInfo, copy: Path) -> File:
    file = File(copy, f"{archive.name}/{member.filename}", member.file_size, archive.modified)
    if is_archive(file):
        return replace(file, problem="an archive within an archive")
    if member.flag_bits & 0x1:
        return replace(file, problem="it is encrypted")
    try:
        with unpacked.open(member) as stream:
            size, digest = copied(stream, copy)  # type: ignore[arg-type]
    except Exception as error:  # each way of packing has errors of its own
        return replace(file, problem=f"it can't be unpacked: {error}")
    return replace(file, size=size, digest=digest)

"""Opens dropped files: decompressed within limits, and as UTF-8 whatever their encoding."""

import codecs
import gzip
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files.file import File

CHUNK = 16 * 1024 * 1024
LINE_BYTES = 16 * 1024 * 1024
# a file may unpack to this many times its size, and to so many bytes in any case
RATIO = 200
UNPACKED_BYTES = 64 * 1024 * 1024
GZIP, ZSTD = (".gz", ".gzip"), (".zst", ".zstd")
_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def open_as_found(path: Path, inode: int) -> BinaryIO:
    """The bytes of a file that is still the one that was found; an inode of 0 is a copy of ours.

    Raises OSError where it is something else by now: a link, a pipe, another file.
    """
    # a pipe without a writer would let us wait
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or inode not in (0, found.st_ino):
        os.close(descriptor)
        raise OSError("it is not the file that was found, or no file at all")
    return os.fdopen(descriptor, "rb")


def changed(file: File) -> bool:
    """Whether the file is another one, or says something else, than when it was found."""
    if not file.inode:
        return False
    try:
        now = file.path.lstat()
    except OSError:
        return True
    return (now.st_ino, now.st_size, now.st_mtime_ns) != (file.inode, file.size, file.modified)


def open_unpacked(file: File) -> BinaryIO:
    """The decompressed bytes. Reading raises ValueError where they are too many."""
    if file.lines:
        return file.lines()
    packed = open_as_found(file.path, file.inode)
    suffix = Path(file.name).suffix.lower()
    if suffix in GZIP:
        unpacked = gzip.GzipFile(fileobj=packed)
    elif suffix in ZSTD:
        unpacked = pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")
    else:
        return packed
    limit = max(UNPACKED_BYTES, RATIO * os.fstat(packed.fileno()).st_size)
    return io.BufferedReader(_Unpacked(unpacked, packed, limit), 1024 * 1024)


def open_file(file: File) -> BinaryIO:
    """The decompressed bytes of a text file. Raises ValueError at a line that is too long."""
    return io.BufferedReader(_Lines(open_unpacked(file)), 1024 * 1024)


def encoding_of(file: File, table: Table, opened: Callable[[File], BinaryIO] = open_file) -> str:
    """The declared encoding, else UTF-8 (with or without BOM) or UTF-16 with its BOM, else CP949.

    Bytes that UTF-8 lacks make a file CP949 only where it has more of them than of other signs
    beyond ASCII: a mistake in a UTF-8 file must not make another text of all the others.
    """
    if table.encoding:
        utf8 = codecs.lookup(table.encoding).name == "utf-8"
        return "utf-8-sig" if utf8 else table.encoding
    if file.lines:
        return "utf-8"
    with opened(file) as stream:
        if encoding := _BOMS.get(stream.read(2)):
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opened(file) as stream:
        try:
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _utf8_or_cp949(opened(file))
    return "utf-8-sig"


def _utf8_or_cp949(stream: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    beyond_ascii = lacking = 0
    with stream:
        while chunk := stream.read(CHUNK):
            text = decoder.decode(chunk)
            lacking += text.count("\ufffd")
            beyond_ascii += len(text) - int((np.frombuffer(chunk, np.uint8) < 128).sum())
    return "cp949" if lacking * 2 > beyond_ascii else "utf-8-sig"


class _Stream(io.RawIOBase):
    """A stream made from another, which it closes too."""

    def __init__(self, *streams: BinaryIO):
        self._stream, self._streams = streams[0], streams

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            for stream in self._streams:
                stream.close()
        super().close()


class _Unpacked(_Stream):
    def __init__(self, stream: BinaryIO, packed: BinaryIO, limit: int):
        super().__init__(stream, packed)
        self._limit, self._left = limit, limit

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {self._limit:,} bytes")
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Lines(_Stream):
    """Bytes as they are, as long as no line is too long to be held in memory."""

    def __init__(self, stream: BinaryIO):
        super().__init__(stream)
        self._line, self._length = 1, 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(min(len(buffer), LINE_BYTES))
        first = chunk.find(b"\n")
        self._length += len(chunk) if first < 0 else first
        if self._length > LINE_BYTES:
            raise ValueError(f"line {self._line} is longer than {LINE_BYTES:,} bytes")
        if first >= 0:
            self._line += chunk.count(b"\n")
            self._length = len(chunk) - chunk.rfind(b"\n") - 1
        buffer[: len(chunk)] = chunk
        return len(chunk)


class Utf8(_Stream):
    """A byte stream of any encoding as UTF-8, and `end`; bytes that don't decode become U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str, end: bytes = b""):
        super().__init__(stream)
        self._end = end
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = b""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = self._stream.read(1024 * 1024)
            self._rest = self._decoder.decode(chunk, final=not chunk).encode()
            if not chunk:
                self._rest, self._end = self._rest + self._end, b""
                break
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

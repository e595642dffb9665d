"""Opens dropped files: decompressed, and as UTF-8 whatever their encoding."""

import codecs
import gzip
import io
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files.file import File

CHUNK = 16 * 1024 * 1024


def open_file(file: File) -> BinaryIO:
    suffix = Path(file.name).suffix
    if suffix in (".gz", ".gzip"):
        return gzip.open(file.path, "rb")  # type: ignore[return-value]
    if suffix in (".zst", ".zstd"):
        return pa.CompressedInputStream(pa.OSFile(str(file.path)), "zstd")
    return file.path.open("rb")


def encoding_of(file: File, table: Table) -> str:
    """The declared encoding, else UTF-8 (with or without BOM) where all bytes are, else CP949."""
    if table.encoding:
        return table.encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_file(file) as stream:
        try:
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp949"
    return "utf-8-sig"


class Utf8(io.RawIOBase):
    """A byte stream of any encoding as UTF-8; bytes that don't decode become U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = self._stream.read(1024 * 1024)
            self._rest = self._decoder.decode(chunk, final=not chunk).encode()
            if not chunk:
                break
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

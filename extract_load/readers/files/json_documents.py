"""JSON documents: an array of objects, somewhere in one value that fills the file."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import pyarrow as pa

from extract_load.declaration import Table
from extract_load.readers.files.file import File
from extract_load.readers.files.json_lines import read_json_lines
from extract_load.readers.files.opening import CHUNK, encoding_of, open_unpacked

DOCUMENT_BYTES = 128 * 1024 * 1024
DEPTH = 100
_SPACE = re.compile(r"[ \t\r\n]*")


def read_json_documents(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """The rows at the table's `rows`, else of the whole document; `_line` counts them from 1.

    There may be an array of objects, one object, or null or an empty text for no rows, also on the
    way to `rows`. Each row comes as the text that stands in the file, so that numbers stay as they
    are. Raises ValueError.
    """
    text = _text(file, table)
    path = tuple(table.rows.split(".")) if table.rows else ()
    rows = _rows(text, path)
    lines = replace(file, lines=lambda: io.BufferedReader(_JsonLines(text, rows)))
    yield from read_json_lines(lines, table, undeclared)


def _text(file: File, table: Table) -> str:
    with open_unpacked(file) as stream:
        content = stream.read(DOCUMENT_BYTES + 1)
    if len(content) > DOCUMENT_BYTES:
        raise ValueError(
            f"a JSON document of more than {DOCUMENT_BYTES:,} bytes: it has to come as JSON lines"
        )
    return content.decode(encoding_of(file, table, open_unpacked), "replace")


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_SCAN = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refused).scan_once


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that starts at a place, and where it ends."""
    try:
        return _SCAN(text, at)
    except StopIteration:
        raise ValueError(f"not JSON at character {at + 1:,}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at character {error.pos + 1:,}") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH} levels") from None


def _after(text: str, at: int, wanted: str) -> int:
    """The place after one of the wanted signs and the space around it."""
    at = _SPACE.match(text, at).end()
    if text[at : at + 1] not in tuple(wanted):
        raise ValueError(f"not JSON at character {at + 1:,}")
    return _SPACE.match(text, at + 1).end()


def _rows(text: str, path: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where each row of the document starts and ends."""
    found, at = _walk(text, _SPACE.match(text).end(), path, path)
    if _SPACE.match(text, at).end() != len(text):
        raise ValueError(f"more than one JSON value, from character {at + 1:,} on")
    return found


def _walk(
    text: str, at: int, path: tuple[str, ...], whole: tuple[str, ...]
) -> tuple[list[tuple[int, int]], int]:
    sign = text[at : at + 1]
    if not path and sign == "[":
        return _elements(text, at)
    value_at = at
    if not path or sign != "{":
        value, at = _value(text, at)
        if value is None or (path and value == []) or (whole and value == ""):
            return [], at
        if path or not isinstance(value, dict):
            where = ".".join(whole[: len(whole) - len(path)]) or "the document"
            raise ValueError(f"{where} is neither object nor array")
        _check_depth(value, 1)
        return [(value_at, at)], at
    found = None
    at = _SPACE.match(text, at + 1).end()
    end = text[at : at + 1] == "}"
    while not end:
        key, at = _value(text, at)
        if not isinstance(key, str) or text[at - 1] != '"':
            raise ValueError(f"not JSON at character {at:,}")
        at = _after(text, at, ":")
        if key == path[0]:
            if found is not None:
                raise ValueError(f"{key} stands there twice")
            found, at = _walk(text, at, path[1:], whole)
        else:
            _, at = _value(text, at)
        end = _ends(text, at, "}")
        at = at if end else _after(text, at, ",")
    if found is None:
        raise ValueError(f"the document lacks {'.'.join(whole)}")
    return found, _after(text, at, "}")


def _elements(text: str, at: int) -> tuple[list[tuple[int, int]], int]:
    found = []
    at = _SPACE.match(text, at + 1).end()
    end = text[at : at + 1] == "]"
    while not end:
        value, after = _value(text, at)
        _check_depth(value, len(found) + 1)
        found.append((at, after))
        end = _ends(text, after, "]")
        at = after if end else _after(text, after, ",")
    return found, _after(text, at, "]")


def _ends(text: str, at: int, sign: str) -> bool:
    at = _SPACE.match(text, at).end()
    return text[at : at + 1] == sign


def _check_depth(value: Any, row: int) -> None:
    level = [value]
    for _ in range(DEPTH + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise ValueError(f"row {row:,} is nested deeper than {DEPTH} levels")


class _JsonLines(io.RawIOBase):
    """Rows of a document as JSON lines: between its tokens a line feed is as good as a space."""

    def __init__(self, text: str, rows: list[tuple[int, int]]):
        self._text, self._rows = text, rows
        self._next, self._rest = 0, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            parts, size = [], 0
            while self._next < len(self._rows) and size < CHUNK // 16:
                start, end = self._rows[self._next]
                row = self._text[start:end]
                parts.append(row.replace("\n", " ").replace("\r", " "))
                size += len(row)
                self._next += 1
            self._rest = "".join(part + "\n" for part in parts).encode()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

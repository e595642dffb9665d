"""From answers to rows: JSON objects and tabular bodies as text, with their numbers."""

import io
import json
import re
import tempfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extract_load.declaration import Table
from extract_load.readers import ReadError
from extract_load.readers.files.archive import is_archive, members
from extract_load.readers.files.delimited import read_delimited
from extract_load.readers.files.file import File
from extract_load.readers.files.formats import reason
from extract_load.readers.files.opening import LINE_BYTES, Utf8, encoding_of, open_file
from extract_load.readers.rest.grammar import Body
from extract_load.readers.rest.guard import Number, exact_json, found

_BATCH_BYTES = 16 * 1024 * 1024
_DOCUMENT_BYTES = 256 * 1024 * 1024
# a part of a path, and which part of a list it means: `actions[action_type=lead]`
_PART = re.compile(r"([^.\[]+)(?:\[([^=\]]+)=([^\]]*)\])?(?:\.|$)")
_encoded = json.JSONEncoder(ensure_ascii=False).encode


class Rows:
    """Takes JSON rows apart into the table's columns. Knows which columns it has `seen` and which
    fields of the rows are `undeclared`."""

    def __init__(self, table: Table, named: set[str]):
        self.paths = {
            column.name: table.theirs(column.name)
            for column in table.columns
            if column.name not in named
        }
        self.landed = {column.name for column in table.landed}
        self.seen: set[str] = set()
        self.undeclared: set[str] = set()

    def batch(self, rows: list[dict[str, Any]], numbers: Sequence[int]) -> pa.RecordBatch:
        """Values as text, figures digit by digit, objects and lists as JSON; and `_line`."""
        columns = {}
        for name, path in self.paths.items():
            values = [_value(row, path) for row in rows]
            if any(value is not _NOTHING for value in values):
                self.seen.add(name)
            if name in self.landed:
                columns[name] = _texts([_text(value) for value in values])
        known = set(self.paths.values())
        for row in rows:
            self.undeclared |= _unknown(row, known)
        columns["_line"] = pa.array(numbers, pa.int64())
        return pa.RecordBatch.from_pydict(columns)


_NOTHING = object()


def _value(row: Any, path: str) -> Any:
    if path in row:
        return row[path]
    value = row
    for part, field, wanted in _parts_of(path):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return _NOTHING
        if field:
            named = (each for each in _list(value) if _text(each.get(field)) == wanted)
            value = next(named, _NOTHING)
    return value


@cache
def _parts_of(path: str) -> list[tuple[str, str, str]]:
    return _PART.findall(path)


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def exploded(rows: list[dict[str, Any]], field: str | None) -> list[dict[str, Any]]:
    """A row for each part of the list in a field, with all that stands around the list.

    Raises ReadError where a row has no such list.
    """
    if field is None:
        return rows
    parts = []
    for row in rows:
        if not isinstance(row.get(field), list):
            raise ReadError(f"a row has no list {field}")
        parts += [{**row, field: part} for part in row[field]]
    return parts


def _text(value: Any) -> str | None:
    if value is None or value is _NOTHING:
        return None
    if isinstance(value, str):
        return value
    try:
        return _json(value)
    except RecursionError:
        return "\ufffd"  # so that the row goes to quarantine


def _json(value: Any) -> str:
    if isinstance(value, dict):
        parts = (f"{_encoded(name)}:{_json(part)}" for name, part in value.items())
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, Number):
        return value.text
    return _encoded(value)


def _texts(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair; the row goes to quarantine for U+FFFD
        return pa.array(
            [
                value and value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                for value in values
            ],
            pa.string(),
        )


def _unknown(row: dict[str, Any], paths: set[str], above: str = "") -> set[str]:
    """Fields of a row that no column names; `above` is where in it they are."""
    names = set()
    for field, value in row.items():
        path = f"{above}{field}"
        if path in paths:
            continue
        if any(known.startswith((f"{path}.", f"{path}[")) for known in paths):
            if isinstance(value, dict):
                names |= _unknown(value, paths, f"{path}.")
        else:
            names.add(path)
    return names


# -- bodies that are tables ----------------------------------------------------------------------


def read_body(
    download: Path, body: Body, table: Table, rows: Rows, named: set[str]
) -> Iterator[pa.RecordBatch]:
    """Batches of a downloaded table, with `_line`, a line's number in all of it. Raises ReadError.

    Memory stays bounded, whatever the file unpacks to.
    """
    read = _READ.get(body.format, _read_table)
    before = 0
    try:
        for part in _parts(download):
            with open_file(part) as stream:
                start = stream.read(64).lstrip()[:1]
            if start == b"<" or (start == b"{" and body.format in ("csv", "tsv")):
                raise ReadError(f"the file is no {body.format}, but HTML, XML or JSON")
            last = before
            for batch in read(part, body, table, rows, named):
                number = batch.schema.get_field_index("_line")
                lines = pc.add(batch.column(number), before)
                last = max(last, pc.max(lines).as_py() or 0)
                yield batch.set_column(number, "_line", lines)
            before = last
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ReadError(f"the file can't be read: {reason(error)}") from None


def _parts(download: Path) -> Iterator[File]:
    """The file, or the members of a zip archive."""
    file = _packed(download)
    if not is_archive(file):
        yield file
        return
    with tempfile.TemporaryDirectory(dir=download.parent) as folder:
        for member in members(file, lambda: Path(folder) / "member"):
            if member.problem or (member.has_rows and is_archive(_packed(member.path))):
                raise ValueError(member.problem or "an archive within an archive")
            if member.has_rows:
                yield _packed(member.path)
                member.path.unlink()


def _packed(path: Path) -> File:
    """A file with a name that says how it is packed."""
    with path.open("rb") as stream:
        start = stream.read(4)
    gzip = ".gz" if start.startswith(b"\x1f\x8b") else ""
    name = "body.zip" if start == b"PK\x03\x04" else f"body{gzip}"
    return File(path, name, path.stat().st_size, 0)


def _read_table(
    part: File, body: Body, table: Table, rows: Rows, named: set[str]
) -> Iterator[pa.RecordBatch]:
    update: dict[str, Any] = {
        "delimiter": body.delimiter or ("\t" if body.format == "tsv" else ","),
        "encoding": body.encoding,
        # to the reader of files, what isn't in the body stands in the file's name
        "name_pattern": "".join(f"(?P<{name}>)" for name in sorted(named)),
    }
    table = table.model_copy(update=update)
    if body.columns:
        header = (update["delimiter"].join(body.columns) + "\n").encode()
        encoding = encoding_of(part, table)
        whole = part
        part = replace(part, lines=lambda: _after(header, Utf8(open_file(whole), encoding)))
        table = table.model_copy(update={"header": {}, "encoding": None})
    skipped = -1 if body.columns else 0  # the first line is ours
    if body.header_at or body.ends_at:
        encoding = encoding_of(part, table)
        whole = part
        skipped = _Framed(Utf8(open_file(whole), encoding), body).skipped
        part = replace(
            part, lines=lambda: io.BufferedReader(_Framed(Utf8(open_file(whole), encoding), body))
        )
        table = table.model_copy(update={"encoding": "utf-8"})
    for batch in read_delimited(part, table, rows.undeclared):
        if skipped:
            number = batch.schema.get_field_index("_line")
            batch = batch.set_column(number, "_line", pc.add(batch.column(number), skipped))
        rows.seen |= set(batch.schema.names)
        yield batch


class _Framed(io.RawIOBase):
    """The lines of a table between what a report says before and after it; `skipped` are those
    before. Raises ReadError where there is no header, or no end."""

    def __init__(self, stream: io.RawIOBase, body: Body):
        self._stream = io.BufferedReader(stream, 1024 * 1024)
        self._ends = tuple(text.encode() for text in body.ends_at)
        self._held, self._ended, self.skipped = b"", False, 0
        header = (body.header_at or "").encode()
        while True:
            line = self._stream.readline(LINE_BYTES).removeprefix(BOM_UTF8)
            if line.startswith(header) and (line.strip() or not line):
                break
            self.skipped += 1
            if not line:
                break
        if not line and body.header_at:
            raise ReadError(f"the file has no line that begins with {body.header_at}")
        self._held = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held and not self._ended:
            self._held = self._stream.readline(LINE_BYTES)
            if self._ends and (not self._held.strip() or self._held.startswith(self._ends)):
                if not self._held:
                    raise ReadError("the file breaks off: its last lines are missing")
                self._held, self._ended = b"", True
        count = min(len(buffer), len(self._held))
        buffer[:count], self._held = self._held[:count], self._held[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def _after(header: bytes, stream: io.RawIOBase) -> io.BufferedReader:
    """A stream with a header before it."""
    return io.BufferedReader(_Headed(header, stream), 1024 * 1024)


class _Headed(io.RawIOBase):
    def __init__(self, header: bytes, stream: io.RawIOBase):
        self._header, self._stream = header, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._header:
            return self._stream.readinto(buffer) or 0
        count = min(len(buffer), len(self._header))
        buffer[:count], self._header = self._header[:count], self._header[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def _read_lines(
    part: File, body: Body, table: Table, rows: Rows, _: object
) -> Iterator[pa.RecordBatch]:
    before = 0
    with open_file(part) as stream:
        while lines := stream.readlines(_BATCH_BYTES):
            good: dict[int, dict[str, Any]] = {}
            bad: dict[int, str] = {}
            for number, line in enumerate(lines, before + 1):
                if not line.strip():
                    continue
                try:
                    row = exact_json(line, body.encoding)
                except (ValueError, RecursionError):
                    row = None
                if isinstance(row, dict):
                    good[number] = row
                else:
                    bad[number] = line.decode(body.encoding or "utf-8", "replace")
            before += len(lines)
            yield rows.batch(list(good.values()), list(good))
            yield pa.RecordBatch.from_pydict(
                {
                    "_line": pa.array(bad, pa.int64()),
                    "_error": pa.array(["not a JSON object"] * len(bad), pa.string()),
                    "_text": pa.array(bad.values(), pa.string()),
                }
            )


def _read_document(
    part: File, body: Body, table: Table, rows: Rows, _: object
) -> Iterator[pa.RecordBatch]:
    with open_file(part) as stream:
        content = stream.read(_DOCUMENT_BYTES + 1)
    if len(content) > _DOCUMENT_BYTES:
        raise ValueError(f"a JSON document of more than {_DOCUMENT_BYTES:,} bytes")
    try:
        wanted = found(body.rows or "$", exact_json(content, body.encoding))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not all(isinstance(row, dict) for row in wanted):
        raise ReadError(f"{body.rows} leads to rows that are no JSON objects")
    assert table.endpoint is not None
    wanted = exploded(wanted, table.endpoint.explode)
    yield rows.batch(wanted, range(1, len(wanted) + 1))


_READ = {"ndjson": _read_lines, "json": _read_document}

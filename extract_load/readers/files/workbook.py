"""Workbooks (XLSX): one sheet, one row of names, rows as text.

A cell lands as text: texts as they are, numbers as the digits that a workbook holds (15 at most),
dates and times in ISO form. What the sheet shows but does not say costs its row: an error such as
#N/A, a formula without its value, a number of more digits, a cell merged with others.
"""

import datetime
import io
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from posixpath import join, normpath
from typing import Any, BinaryIO
from xml.etree import ElementTree

import pyarrow as pa
import python_calamine as calamine

from extract_load.declaration import Table
from extract_load.readers.files.delimited import our_names
from extract_load.readers.files.file import File
from extract_load.readers.files.opening import RATIO, UNPACKED_BYTES, open_unpacked

CELLS = 10_000_000
WORKBOOK_BYTES = 256 * 1024 * 1024
UNPACKED = 512 * 1024 * 1024
_DIGITS = 10**15
_BATCH = 10_000
_CHUNK = 8 * 1024 * 1024
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*)>")
_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Z]{1,3})([0-9]{1,7})["']""")
_ERROR = re.compile(rb"""<(?:\w+:)?c\b([^>]*\bt\s*=\s*["']e["'][^>]*)>""")
_FORMULA_ALONE = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\s*/>\s*)?</(?:\w+:)?c>"
)


def read_workbook(file: File, table: Table, undeclared: set[str]) -> Iterator[pa.RecordBatch]:
    """Rows below the header row as text; `_line` is the row's number in the sheet.

    Blank rows are passed over. Raises ValueError where sheet or header is not as declared.
    """
    with open_unpacked(file) as stream:
        content = stream.read(WORKBOOK_BYTES + 1)
    if len(content) > WORKBOOK_BYTES:
        raise ValueError(f"a workbook of more than {WORKBOOK_BYTES:,} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            _check_parts(parts, len(content))
            with calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
                name = _sheet_name(book, table)
                marred = _marred(parts.open(_part(parts, name)))
                yield from _rows(book.get_sheet_by_name(name), table, marred, undeclared)
    except (ValueError, OSError):
        raise
    except BaseException as error:
        # what reads it meets broken bytes with errors of every kind, and a panic is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"no workbook that can be read ({type(error).__name__})") from None


def _sheet_name(book: calamine.CalamineWorkbook, table: Table) -> str:
    names = book.sheet_names
    if isinstance(table.sheet, str) and table.sheet in names:
        return table.sheet
    if isinstance(table.sheet, int) and table.sheet <= len(names):
        return names[table.sheet - 1]
    raise ValueError(f"it has no sheet {table.sheet}")


def _check_parts(parts: zipfile.ZipFile, size: int) -> None:
    total = sum(part.file_size for part in parts.infolist())
    if total > min(UNPACKED, max(UNPACKED_BYTES, RATIO * size)):
        raise ValueError(f"a workbook that unpacks to {total:,} bytes from {size:,}")
    # also finds a part that is longer than it says
    if broken := parts.testzip():
        raise ValueError(f"{broken} is broken")


def _marred(sheet: BinaryIO) -> dict[int, str]:
    """Rows whose cells don't say what they show, with the reason; checks the sheet's extent.

    The library gives such cells as empty ones, and makes room for each cell between the outermost.
    """
    found: dict[int, str] = {}
    columns, last_row = set(), 0
    for text in _whole_cells(sheet):
        for cell in _CELL.finditer(text):
            if not (place := _PLACE.search(cell[1])):
                raise ValueError("a cell doesn't say where it stands")
            columns.add(place[1])
            last_row = max(last_row, int(place[2]))
        for pattern, reason in ((_ERROR, "an error"), (_FORMULA_ALONE, "a formula without value")):
            for cell in pattern.finditer(text):
                letters, row = _PLACE.search(cell[1]).groups()
                found[int(row)] = f"cell {(letters + row).decode()} holds {reason}"
    width = max(map(_column_number, columns), default=0)
    if width * last_row > CELLS:
        raise ValueError(f"the sheet spans {width * last_row:,} cells, more than {CELLS:,}")
    return found


def _whole_cells(stream: BinaryIO) -> Iterator[bytes]:
    """The text in pieces that end between two cells."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        text = rest + chunk
        last = max(text.rfind(b"<c "), text.rfind(b"<", 0, text.rfind(b":c ") + 1))
        cut = last if last >= 0 else max(text.rfind(b"<"), 0)
        yield text[:cut]
        rest = text[cut:]
        if len(rest) > _CHUNK * 2:
            raise ValueError(f"a cell of more than {_CHUNK * 2:,} bytes")
    yield rest


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _part(parts: zipfile.ZipFile, name: str) -> str:
    """The name of the part that holds a sheet."""
    book = ElementTree.parse(parts.open("xl/workbook.xml")).getroot()
    relations = ElementTree.parse(parts.open("xl/_rels/workbook.xml.rels")).getroot()
    (sheet,) = (n for n in book.iter() if n.tag.endswith("}sheet") and n.get("name") == name)
    (relation,) = (value for key, value in sheet.items() if key.endswith("}id"))
    (target,) = (node.get("Target", "") for node in relations if node.get("Id") == relation)
    return target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))


def _rows(
    sheet: calamine.CalamineSheet, table: Table, marred: dict[int, str], undeclared: set[str]
) -> Iterator[pa.RecordBatch]:
    merged = sheet.merged_cell_ranges or []
    if sheet.start is None:
        raise ValueError("the sheet is empty, not even a header")
    lines = enumerate(sheet.iter_rows(), 1)
    header = next((row for _, row in islice(lines, table.header_row - 1, None)), [])
    if any(top < table.header_row <= bottom + 1 for (top, _), (bottom, _) in merged):
        raise ValueError(f"row {table.header_row}, the header, has merged cells")
    while header and header[-1] == "":
        header.pop()
    names = our_names([_text(value) for value in header], table, undeclared)
    for (top, _), (bottom, _) in merged:
        for line in range(
            max(top + 1, table.header_row + 1), min(bottom + 1, sheet.total_height) + 1
        ):
            marred.setdefault(line, f"row {line} has merged cells")
    wanted = [(n, name) for n, name in enumerate(names) if name]
    while rows := list(islice(lines, _BATCH)):
        texts: dict[str, list[str | None]] = {name: [] for _, name in wanted}
        numbers, errors = [], []
        for line, row in rows:
            error = marred.get(line)
            if error is None and all(value == "" for value in row):
                continue
            numbers.append(line)
            for n, name in wanted:
                try:
                    texts[name].append(_text(row[n]) if row[n] != "" else None)
                except (ValueError, IndexError) as wrong:
                    error = error or f"{name}: {wrong}"
                    texts[name].append(None)
            errors.append(error)
        yield pa.RecordBatch.from_pydict(
            {name: pa.array(values, pa.string()) for name, values in texts.items()}
            | {"_line": pa.array(numbers, pa.int64()), "_error": pa.array(errors, pa.string())}
        )


def _text(value: Any) -> str:
    """A cell as text. Raises ValueError where its digits are more than a workbook holds."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        if not abs(value) < _DIGITS:
            raise ValueError("a number of more than 15 digits")
        return str(int(value)) if value == int(value) else f"{Decimal(f'{value:.15g}'):f}"
    if isinstance(value, datetime.timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return value.isoformat()

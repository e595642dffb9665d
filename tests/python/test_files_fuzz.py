"""Dropped files that nobody thought of: written by chance, or broken by chance."""

import csv
import gzip
import io
import json
import os
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from conftest import Lab
from engines import on_engines
from extract_load.declaration import Table
from extract_load.loader.conform import Lander
from extract_load.readers.files import File, slices

EXAMPLES = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
RESIDENT = re.compile(r"[0-9]{6}\D?[0-9]{7}")


@dataclass
class Landed:
    """What became of a file: values and reasons by line, and why it failed."""

    rows: dict[int, tuple]
    rejected: dict[int, str]
    failed: dict[str, str]


Land = Callable[..., Landed]


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    folder = tmp_path_factory.mktemp("landing")
    with Lander(folder, None, datetime(2026, 1, 1)) as lander:

        def landed(name: str, content: bytes, **options: Any) -> Landed:
            columns = {"a": "string none", "b": "string none"}
            table = Table(name="t", description="d", path="*", columns=columns, **options)
            path, rows = folder / "file", folder / "rows.parquet"
            path.write_bytes(content)
            (part,) = slices(table, [File(path, name, len(content), 0)])
            landing = lander.land(part.read(), table, rows)
            found = pq.read_table(rows).to_pylist()
            assert landing.read == len(found)
            return Landed(
                {row["_line"]: (row["a"], row["b"]) for row in found if not row["_reason"]},
                {row["_line"]: row["_reason"] for row in found if row["_reason"]},
                part.failed,
            )

        yield landed


def check(landed: Landed, written: dict[int, tuple]) -> None:
    """Each line is there, as it was written or rejected for what no warehouse can hold."""
    assert landed.failed == {}
    assert landed.rows.keys() | landed.rejected.keys() == written.keys()
    assert not landed.rows.keys() & landed.rejected.keys()
    for line, values in written.items():
        text = "\n".join(filter(None, values))
        if line in landed.rows:
            assert landed.rows[line] == values
        else:
            assert "\0" in text or "\ufffd" in text or RESIDENT.search(text), landed.rejected[line]


@EXAMPLES
@given(
    rows=st.lists(st.tuples(TEXT, TEXT), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp949"]),
    packed=st.sampled_from(["", ".gz", ".zst"]),
)
def test_what_a_csv_writer_wrote_comes_back(
    land: Land, rows: list[tuple], delimiter: str, ending: str, encoding: str, packed: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    try:
        content = out.getvalue().encode(encoding)
    except UnicodeEncodeError:
        assume(False)
    declared = {"encoding": encoding} if encoding == "cp949" else {}
    if packed == ".gz":
        content = gzip.compress(content)
    elif packed == ".zst":
        content = pa.compress(content, "zstd", asbytes=True)
    check(
        land(f"x.csv{packed}", content, delimiter=delimiter, **declared), dict(enumerate(rows, 2))
    )


@EXAMPLES
@given(
    rows=st.lists(st.tuples(TEXT | st.none(), TEXT | st.none()), max_size=8),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 3),
    lines=st.booleans(),
)
def test_what_a_json_writer_wrote_comes_back(
    land: Land, rows: list[tuple], ascii_only: bool, indent: int | None, lines: bool
) -> None:
    objects = [{"a": a, "b": b} for a, b in rows]
    if lines:
        text = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in objects)
    else:
        text = json.dumps(objects, ensure_ascii=ascii_only, indent=indent)
    name = "x.jsonl" if lines else "x.json"
    check(land(name, text.encode()), dict(enumerate(rows, 1)))


@EXAMPLES
@given(numbers=st.lists(NUMBER, min_size=1, max_size=8), lines=st.booleans())
def test_json_numbers_land_as_they_are_written(land: Land, numbers: list[str], lines: bool) -> None:
    assume(not any(RESIDENT.search(number) for number in numbers))
    rows = [f'{{"a": {number}, "b": [{number}, "x"]}}' for number in numbers]
    text = "\n".join(rows) if lines else f"[{','.join(rows)}]"
    written = {n: (number, f'[{number},"x"]') for n, number in enumerate(numbers, 1)}
    check(land("x.jsonl" if lines else "x.json", text.encode()), written)


CELL = (
    TEXT.filter(
        lambda text: (
            text == ILLEGAL_CHARACTERS_RE.sub("", text)
            and "\r" not in text
            # what a workbook writes for signs that XML lacks
            and not re.search("_x[0-9A-Fa-f]{4}_", text)
        )
    )
    | st.integers(-(10**15) + 1, 10**15 - 1)
    | st.decimals(-(10**6), 10**6, places=6).map(float)
    | st.booleans()
    | st.none()
)


@EXAMPLES
@given(rows=st.lists(st.tuples(CELL, CELL), max_size=8))
def test_what_a_workbook_writer_wrote_comes_back(land: Land, rows: list[tuple]) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    for line, row in enumerate(rows, 2):
        for column, value in enumerate(row, 1):
            cell = book.active.cell(line, column, value)
            if isinstance(value, str):
                cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    written = {
        line: tuple(map(_shown, row))
        for line, row in enumerate(rows, 2)
        if any(value not in (None, "") for value in row)
    }
    check(land("x.xlsx", out.getvalue()), written)


def _shown(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else f"{Decimal(str(value)):f}"
    return str(value)


# -- broken by chance ----------------------------------------------------------------------------

DROPS = """\
    source: drops
    description: Dropped files.
    reader: files
    root: ${FILES}
    tables:
      rows:
        description: One row is a row.
        path: "*"
        columns: {a: string none, b: bigint none}
"""
SEED = os.environ.get("FUZZ_SEED", "1")
ROWS = [(f"value {n} 한글", n) for n in range(60)]


def valid_files() -> dict[str, bytes]:
    text = ("a,b\n" + "".join(f'"{a}",{b}\n' for a, b in ROWS)).encode()
    objects = [{"a": a, "b": b} for a, b in ROWS]
    parquet, book, archive = io.BytesIO(), openpyxl.Workbook(), io.BytesIO()
    pq.write_table(pa.Table.from_pylist(objects), parquet)
    for row in [("a", "b"), *ROWS]:
        book.active.append(row)
    xlsx = io.BytesIO()
    book.save(xlsx)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("one.csv", text)
        out.writestr("two.jsonl", json.dumps(objects[0]))
    return {
        "csv": text,
        "csv.gz": gzip.compress(text),
        "csv.zst": pa.compress(text, "zstd", asbytes=True),
        "jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in objects).encode(),
        "json": json.dumps(objects).encode(),
        "parquet": parquet.getvalue(),
        "xlsx": xlsx.getvalue(),
        "zip": archive.getvalue(),
    }


def broken(content: bytes, chance: random.Random) -> bytes:
    """The content with a few bytes changed, cut out or doubled."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randrange(len(data))
        size = chance.choice([1, 1, 4, 64])
        match chance.randrange(6):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.choice(b'\0\xff",\n\r{}[]<>&\\0')
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                data[at : at + size] = chance.randbytes(len(data[at : at + size]))
            case 5:
                del data[at:]
        if not data:
            break
    return bytes(data)


@on_engines("duckdb")
@pytest.mark.parametrize("form", valid_files())
def test_a_broken_file_never_stops_a_load_or_harms_another(lab: Lab, form: str) -> None:
    lab.declare(DROPS, "drops")
    chance = random.Random(f"{SEED} {form}")
    content = valid_files()[form]
    for n in range(80):
        (lab.files / f"{n}.{form}").write_bytes(broken(content, chance))
    (lab.files / "good.csv").write_bytes(valid_files()["csv"])
    (table,) = lab.load().tables
    assert table.error is None
    found = table.counts
    assert found.read == found.loaded + found.quarantined + found.suppressed
    assert lab.ledger_balances()
    good = "select a, b from raw_drops.rows where _file = 'good.csv' order by _line"
    twin = "select 1 from raw_ledger.files where file = 'good.csv' and digest like '=%'"
    assert lab.query(good) == ROWS or lab.query(twin)
    # each file is remembered, whatever became of it
    names = {path.name for path in lab.files.iterdir()}
    assert names <= {name for (name,) in lab.query("select file from raw_ledger.files")}
    # what says the same as a broken file gets a try of its own; then nothing is new
    later = [lab.load().tables[0].counts for _ in range(4)]
    assert [again.loaded for again in later] == [0, 0, 0, 0]
    assert later[-1].read == 0

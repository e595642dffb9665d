"""Writers that give the same bytes for the same rows, and the tally of what was written."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc


class Tally:
    """Counts of delivered rows, planted dirt and rows to be rejected, kept in the state."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Continue the tally of an existing company, or begin one."""
        con.execute("create table if not exists tally (section varchar, name varchar, n bigint)")
        rows = con.execute("select section, name, n from tally").fetchall()
        self._con = con
        self._counts: Counter[tuple[str, str]] = Counter({(s, n): c for s, n, c in rows})

    def add(self, section: str, name: str, number: int) -> None:
        """Add to the count of `name` in `section` (rows, dirt, quarantine or figures)."""
        self._counts[section, name] += int(number)

    def section(self, section: str) -> dict[str, int]:
        """The counts of one section, by name."""
        return {name: n for (s, name), n in sorted(self._counts.items()) if s == section}

    def save(self) -> None:
        """Keep the counts in the state database."""
        values = ", ".join(
            f"('{section}', '{name}', {n})" for (section, name), n in sorted(self._counts.items())
        )
        self._con.execute(
            f"create or replace table tally as select * from (values {values}) "
            "as v (section, name, n)"
        ).fetchall()


class BadLines:
    """Bad lines by kind, to be put in the middle of the first file from a given name on."""

    def __init__(
        self, tally: Tally, table: str, not_before: str | None, lines: dict[str, bytes]
    ) -> None:
        """Nothing is planted when `not_before` is None."""
        self._tally = tally
        self._table = table
        self._not_before = not_before
        self._lines = lines

    def take(self, file: str) -> list[bytes]:
        """The lines for this file, if it is the one; they count as dirt and quarantine then."""
        if self._not_before is None or file < self._not_before:
            return []
        self._not_before = None
        for kind in self._lines:
            self._tally.add("dirt", f"{self._table}.{kind}", 1)
        self._tally.add("quarantine", self._table, len(self._lines))
        return list(self._lines.values())


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file, gzipped without a time stamp when its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".gz" else data)


def write_all(jobs: Iterable[tuple[Callable[..., None], tuple]]) -> None:
    """Run writing jobs (function, arguments) on two threads; compression leaves the interpreter."""
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(function, *arguments) for function, arguments in jobs]:
            done.result()


def runs(column: pa.ChunkedArray) -> Iterator[tuple[Any, int, int]]:
    """The runs of equal values in a sorted column: (value, first row, number of rows)."""
    encoded = pc.run_end_encode(column.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    start = 0
    values = zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True)
    for value, end in values:
        yield value, start, end - start
        start = end


def write_lines(
    con: duckdb.DuckDBPyConnection,
    query: str,
    path_of: Callable[[str], Path],
    header: str = "",
    encoding: str = "utf-8",
    bad: BadLines | None = None,
) -> int:
    """Write the text lines of a query (columns file, line; ordered) into one file for each `file`.

    A line ends with its own newline. Returns the number of lines, bad ones included, headers not.
    """
    table = con.sql(query).to_arrow_table()
    if table.num_rows == 0:
        return 0
    lines = table.column("line").combine_chunks()
    if isinstance(lines, pa.ChunkedArray):
        lines = pa.concat_arrays(lines.chunks)
    # The lines of a file lie side by side in the column's buffer: it is cut, not copied row by row.
    _, offset_buffer, data = lines.buffers()
    offsets = memoryview(offset_buffer).cast("i")
    text = memoryview(data)

    def encoded(first: int, last: int) -> bytes | memoryview:
        piece = text[offsets[first] : offsets[last]]
        return piece if encoding == "utf-8" else str(piece, "utf-8").encode(encoding)

    def write_file(name: str, first: int, number: int, extra: list[bytes]) -> None:
        middle = first + number // 2
        pieces = [encoded(first, middle), *extra, encoded(middle, first + number)]
        write_bytes(path_of(name), b"".join([header.encode(encoding), *pieces]))

    files = [
        (name, first, number, bad.take(name) if bad else [])
        for name, first, number in runs(table.column("file"))
    ]
    write_all((write_file, file) for file in files)
    return table.num_rows + sum(len(extra) for *_, extra in files)

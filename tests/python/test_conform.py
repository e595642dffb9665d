"""What the one pass over a slice takes for a value, and what it makes of rows without a key."""

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import KEY, Lab
from engines import on_engines
from extract_load import read_sources
from extract_load.declaration import Column, Table
from extract_load.loader.conform import Lander, _typed
from extract_load.readers.files import find, json_lines, slices
from extract_load.readers.scan import Scan

INSTANT = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:(Z)|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)


def read_bigint(text: str) -> int | None:
    fits = re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", text) and -(2**63) <= int(text) < 2**63
    return int(text) if fits else None


def read_numeric(text: str) -> Decimal | None:
    fits = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?", text)
    return Decimal(text) if fits and abs(Decimal(text)) < 10**29 else None


def read_boolean(text: str) -> bool | None:
    words = {"1": True, "t": True, "y": True, "yes": True, "true": True}
    words |= {"0": False, "f": False, "n": False, "no": False, "false": False}
    return words.get(text.lower())


def read_date(text: str) -> date | None:
    parts = re.fullmatch("([0-9]{4})(-?)([0-9]{2})\\2([0-9]{2})", text)
    try:
        return date(*map(int, parts.group(1, 3, 4))) if parts else None
    except ValueError:
        return None


def read_timestamp(text: str) -> datetime | None:
    if not (parts := re.fullmatch(INSTANT, text)):
        return None
    day, hour, minute, second, fraction, _, sign, hours, minutes = parts.groups()
    time = (int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
    # ISO 8601 knows the end of a day
    days, time = (1, (0, 0, 0, 0)) if time == (24, 0, 0, 0) else (0, time)
    try:
        instant = datetime(*map(int, day.split("-")), *time) + timedelta(days=days)
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return instant + offset if sign == "-" else instant - offset
    except (ValueError, OverflowError):
        return None


READ: dict[str, Callable[[str], object]] = {
    "bigint": read_bigint,
    "numeric": read_numeric,
    "boolean": read_boolean,
    "date": read_date,
    "timestamp": read_timestamp,
}
DAY = st.dates(date(1, 1, 2), date(9999, 12, 30)).map(date.isoformat)
SHAPES = {
    "bigint": st.integers(-(2**64), 2**64).map(str)
    | st.from_regex("-?[0-9]{0,20}", fullmatch=True),
    "numeric": st.from_regex(r"-?[0-9]{1,32}(\.[0-9]{0,10})?", fullmatch=True),
    "boolean": st.from_regex("(?i)0|1|t|f|y|n|no|yes|true|false|on|off|2|00|tr", fullmatch=True),
    "date": DAY
    | DAY.map(lambda day: day.replace("-", ""))
    | st.from_regex("[0-9]{4}(-?)[01][0-9](-?)[0-3][0-9]", fullmatch=True),
    "timestamp": st.from_regex(INSTANT, fullmatch=True)
    | st.builds(
        "{}{}{}{}".format,
        DAY,
        st.sampled_from(["T", " ", "  ", "t", ""]),
        st.times().map(lambda t: t.isoformat())
        | st.sampled_from(["24:00:00", "23:59", "12:00:60"]),
        st.sampled_from(["", "Z", "+09:00", "-0330", "+05", "z", " UTC", "+15:59", "+9", "+23:59"]),
    ),
}
ODD = [
    "", " ", "1 ", " 1", "+1", "1_000", "0x1", "1e3", "1.", ".5", "-", "-0", "007", "infinity",
    "１", "-infinity", "epoch", "today", "nan", "null", "1\n", "no", "on", "0000-01-01",
    "2026-1-1", "2026-01-01 (BC)", "2026/01/01", "2026-01-01 9:00", "2026-01-01t09:00",
    "2026-01-01 09:00 UTC", "2026-01-01T09:00:00.1234567", "2026-01-01 09:00:00+9",
    " 2026-01-01 09:00",
]  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


@pytest.mark.parametrize("kind", list(READ))
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_text_is_taken_just_where_its_type_is_written_so(
    connection: duckdb.DuckDBPyConnection, kind: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(SHAPES[kind] | st.text(max_size=12), max_size=40))
    texts = ODD + [text for text in drawn if "\0" not in text]
    column = Column(name="v", type=kind, privacy="none")
    table = Table(name="t", description="", columns={"v": f"{kind} none"})
    expression = _typed(column, {"v": "VARCHAR"}, table)
    found = connection.execute(
        f"select {expression} from (select unnest($1::varchar[]) as v)", [texts]
    ).fetchall()
    assert dict(zip(texts, (value for (value,) in found), strict=True)) == {
        text: READ[kind](text) for text in texts
    }


# -- rows without a key ----------------------------------------------------------------------------


def land(
    folder: Path, columns: dict[str, str], rows: dict[str, list], key: tuple[str, ...] = ()
) -> list[dict]:
    """The landed rows of a slice of texts."""
    table = Table(name="t", description="", columns=columns, key=key)
    batch = pa.table({name: pa.array(values, pa.string()) for name, values in rows.items()})
    with Lander(folder, KEY, datetime(2026, 8, 29)) as lander:
        landing = lander.land(batch.to_reader(), table, folder / "rows.parquet")
    assert landing.checksum == hashlib.sha256(landing.path.read_bytes()).hexdigest()
    assert landing.path.stat().st_mode & 0o777 == 0o600
    landed = pq.read_table(landing.path).to_pylist()
    assert len(landed) == landing.read
    return landed


def test_rows_without_a_key_are_known_by_what_they_say_and_how_often(tmp_path: Path) -> None:
    columns = {"a": "string none", "b": "bigint none"}
    rows = {"a": ["x", "x", "y", "x", "bad"], "b": ["1", "1", "1", None, "one"]}
    landed = land(tmp_path, columns, rows)
    accepted = [row for row in landed if row["_reason"] is None]
    numbers = sorted((row["a"], row["b"] or 0, row["_occurrence"]) for row in accepted)
    assert numbers == [("x", 0, 1), ("x", 1, 1), ("x", 1, 2), ("y", 1, 1)]
    assert len({row["_content"] for row in accepted}) == 3
    assert all(row["_key"] == f"{row['_content']}|{row['_occurrence']}" for row in accepted)
    (rejected,) = [row for row in landed if row["_reason"]]
    assert [rejected[name] for name in ("_content", "_occurrence", "_key")] == [None] * 3


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(*[st.none() | st.text("a1:-|é", max_size=3)] * 2), max_size=20))
def test_rows_that_differ_in_anything_have_different_contents(
    tmp_path: Path, rows: list[tuple[str | None, str | None]]
) -> None:
    columns = {"a": "string none", "b": "string none"}
    landed = land(tmp_path, columns, {"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    contents = {(row["a"], row["b"]): row["_content"] for row in landed}
    assert set(contents) == set(rows)
    assert len(set(contents.values())) == len(contents)
    assert all(row["_content"] == contents[row["a"], row["b"]] for row in landed)


def test_a_content_stays_the_same_between_versions(tmp_path: Path) -> None:
    columns = {"a": "string none", "b": "bigint none", "c": "timestamp none"}
    (row,) = land(tmp_path, columns, {"a": ["가"], "b": [None], "c": ["2026-01-01T09:00:00+09:00"]})
    assert row["_content"] == hashlib.md5("3:가-19:2026-01-01 00:00:00".encode()).hexdigest()


# -- resident numbers among other columns ----------------------------------------------------------


def test_two_columns_side_by_side_are_no_resident_number(tmp_path: Path) -> None:
    columns = {"a": "string none", "b": "string none", "c": "string none"}
    # the last one calls for a close look at all of them, and fails it by its check digit
    (row,) = land(tmp_path, columns, {"a": ["900101"], "b": ["1234567"], "c": ["9001011234567"]})
    assert row["_reason"] is None


@pytest.mark.parametrize(
    ("kind", "text"), [("bigint", "9001011234568"), ("numeric", "101013234567")]
)
def test_a_resident_number_stored_as_a_number_is_found(
    tmp_path: Path, kind: str, text: str
) -> None:
    (row,) = land(tmp_path, {"a": f"{kind} none"}, {"a": [text]})
    assert row["_reason"] == "a resident registration number"


def test_a_resident_number_that_is_a_key_is_not_kept_as_one(tmp_path: Path) -> None:
    columns = {"id": "string none", "memo": "string none"}
    numbers = {"id": ["a-900101-1234567", "7"], "memo": ["x", "900101-1234567"]}
    rows = land(tmp_path, columns, numbers, key=("id",))
    assert sorted((row["_key"], row["_row"]) for row in rows) == [
        ("7", '{"id":"7","memo":"[resident number]"}'),
        ("a-[resident number]", '{"id":"a-[resident number]","memo":"x"}'),
    ]


def test_an_instant_of_the_row_in_milliseconds_is_no_resident_number(tmp_path: Path) -> None:
    columns = {"at": "timestamp none", "payload": "string none"}
    # one that has the check digit, so that only the instant tells what it is
    at = datetime(2024, 1, 1, tzinfo=UTC)
    instants = [at + timedelta(milliseconds=n) for n in range(0, 100_000_000, 9973)]
    texts = [f'{{"client_ts":{int(i.timestamp() * 1000 + 0.5)}}}' for i in instants]
    table = Table(name="t", description="", columns=columns, future="at")
    batch = pa.table({"at": [i.isoformat() for i in instants], "payload": texts})
    with Lander(tmp_path, KEY, datetime(2026, 8, 29)) as lander:
        landing = lander.land(batch.to_reader(), table, tmp_path / "rows.parquet")
    reasons = pq.read_table(landing.path).column("_reason")
    assert reasons.null_count == len(texts)
    # without the instant some would be taken for one
    assert any(row["_reason"] for row in land(tmp_path, {"p": "string none"}, {"p": texts}))


# -- files that DuckDB reads itself ----------------------------------------------------------------

EVENTS = """\
    source: events
    description: Events.
    reader: files
    root: ${FILES}
    tables:
      events:
        description: One row is an event.
        path: "*"
        header: {"사용자": member_id}
        columns:
          name: string none
          member_id: bigint pseudonym
          seen_at: timestamp none
          amount: numeric none
          is_first: boolean none
"""


def write_events(folder: Path, name: str, count: int, first: int = 0) -> Path:
    numbers = range(first, first + count)
    table = pa.table(
        {
            "name": [None if n % 5 == 0 else f"이름 {n}" for n in numbers],
            "사용자": pa.array([None if n % 7 == 0 else n % 11 for n in numbers], pa.int64()),
            "seen_at": pa.array([n * 1_000_000 for n in numbers], pa.timestamp("us", "UTC")),
            "amount": [n / 4 for n in numbers],
            "is_first": [n % 2 == 0 for n in numbers],
            "undeclared": ["x"] * count,
        }
    )
    pq.write_table(table, folder / name, row_group_size=1000, compression="none")
    return folder / name


@on_engines("duckdb")
def test_parquet_lands_the_same_by_either_way(lab: Lab) -> None:
    lab.declare(EVENTS, "events")
    for n, name in enumerate(("a.parquet", "it's b.parquet")):
        write_events(lab.files, name, 2500, n * 10_000)
    source = read_sources(lab.sources)["events"]
    (part,) = slices(source.tables["events"], find(source, source.tables["events"]))
    assert isinstance(part.read(), Scan)
    found = {}
    for odd in ("", "[odd].parquet"):
        if odd:  # a name that DuckDB would take for a pattern sends all of them the other way
            write_events(lab.files, odd, 1)
        (table,) = lab.load(replay=[("events", "events")]).tables
        assert (table.error, table.undeclared) == (None, {"undeclared"})
        found[odd] = lab.query(
            "select name, member_id, seen_at, amount, is_first, _file, _line, _key_version"
            " from raw_events.events where _file <> '[odd].parquet' order by _file, _line"
        )
        # nothing of the second time is new but the odd file
        assert table.counts.loaded == (1 if odd else 5000)
    assert found[""] == found["[odd].parquet"]
    tokens = {number: KEY.token(str(number)) for number in range(11)}
    numbers = [*range(2500), *range(10_000, 12_500)]
    assert [row[1] for row in found[""]] == [(n % 7 and tokens[n % 11]) or None for n in numbers]
    assert [row[5:7] for row in found[""]] == [
        (name, line) for name in ("a.parquet", "it's b.parquet") for line in range(1, 2501)
    ]


@on_engines("duckdb")
def test_a_parquet_file_that_breaks_half_way_is_left_whole_and_alone(lab: Lab) -> None:
    lab.declare(EVENTS, "events")
    write_events(lab.files, "a.parquet", 2500)
    file = write_events(lab.files, "b.parquet", 2500, 10_000)
    group = pq.ParquetFile(file).metadata.row_group(2).column(0)
    content = bytearray(file.read_bytes())
    start = group.dictionary_page_offset or group.data_page_offset
    content[start : start + 20] = b"\xff" * 20
    file.write_bytes(content)
    (table,) = lab.load().tables
    assert (table.counts.read, table.counts.loaded, table.counts.quarantined) == (2501, 2500, 1)
    assert lab.query("select distinct _file from raw_events.events") == [("a.parquet",)]
    assert lab.query("select file, line from raw_ledger.quarantine") == [("b.parquet", None)]


@on_engines("duckdb")
def test_lines_keep_their_numbers_over_the_reader_s_chunks(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "CHUNK", 1000)
    lab.declare(EVENTS, "events")
    # some lines are longer than a chunk
    names = {n: "가" * (1000 if n % 10 == 2 else 1) + str(n) for n in range(1, 1001)}
    lines = [f'{{"name": "{name}", "사용자": {n % 11}}}' for n, name in names.items()]
    lines[9::10], lines[::10] = [""] * 100, ["{"] * 100
    (lab.files / "a.jsonl").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    (table,) = lab.load().tables
    assert (table.counts.read, table.counts.loaded, table.counts.quarantined) == (900, 800, 100)
    good = lab.query("select _line, name, member_id from raw_events.events order by _line")
    assert good == [
        (n, name, KEY.token(str(n % 11))) for n, name in names.items() if n % 10 not in (0, 1)
    ]
    bad = lab.query("select line, masked_row from raw_ledger.quarantine order by line")
    assert bad == [(n, "{") for n in range(1, 1001) if n % 10 == 1]

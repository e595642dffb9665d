"""Singer taps: every kind of message, hostile ones, taps that die; and real taps."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
import uv
import yaml

import engines
from conftest import Lab
from engines import on_engines
from extract_load.readers import singer

# Says what it was told in seen.json, and then whatever the files beside it say.
FAKE_TAP = """\
#!{python}
import json, os, pathlib, signal, stat, sys, time
arguments = sys.argv[1:]
options = {{a: arguments[n + 1] for n, a in enumerate(arguments[:-1]) if a.startswith("--")}}
folder = pathlib.Path({folder!r})
if "--help" in arguments:
    sys.exit(print((folder / "help").read_text()))
config = json.loads(pathlib.Path(options["--config"]).read_text())
if "--discover" in arguments:
    sys.exit(print((folder / "catalog.json").read_text()))
read = lambda name: json.loads(pathlib.Path(options[name]).read_text()) if name in options else None
path = pathlib.Path(options["--config"])
modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent)]
seen = {{"options": sorted(options), "config": config, "catalog": read("--catalog"), "modes": modes,
         "state": read("--state"), "environment": sorted(os.environ), "pid": os.getpid()}}
with (folder / "seen.jsonl").open("a") as file:
    file.write(json.dumps(seen) + "\\n")
sys.stdout.buffer.write((folder / "messages").read_bytes())
sys.stdout.flush()
exec((folder / "ending").read_text())
"""

SHOP = """\
    source: shop
    description: A shop.
    reader: singer
    tap: {executable: tap-fake, config: {host: here, password: "${TAP_PASSWORD}"}}
    tables:
      orders:
        description: One row is an order.
        OPTIONS
        columns: {id: bigint none, amount: numeric none, note: string none}
"""
KEY = "key: [id]"
PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "amount": {"type": ["null", "number"]},
    "note": {"type": ["null", "string"]},
}


class FakeTap:
    """A tap whose every word is written down beforehand; each way to say it replaces the last."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        executable = folder / "tap-fake"
        executable.write_text(FAKE_TAP.format(python=sys.executable, folder=str(folder)))
        executable.chmod(0o755)
        self.help("usage: tap-fake --config --state --catalog --discover")
        self.ends("")
        self.discovers("orders", PROPERTIES)

    def help(self, text: str) -> None:
        (self.folder / "help").write_text(text)

    def ends(self, python: str) -> None:
        (self.folder / "ending").write_text(python)

    def discovers(
        self, stream: str, properties: dict[str, Any], key: tuple[str, ...] = ("id",), **more: Any
    ) -> None:
        entries = [
            {"tap_stream_id": name, "stream": name, "key_properties": list(key), **more,
             "schema": {"type": "object", "properties": properties},
             "metadata": [{"breadcrumb": [], "metadata": {"inclusion": "available"}}]}
            for name in (stream, "others")
        ]  # fmt: skip
        (self.folder / "catalog.json").write_text(json.dumps({"streams": entries}))

    def says(self, *messages: dict[str, Any] | str | bytes) -> None:
        """Messages in order; texts and bytes are lines as they are."""
        lines = []
        for message in messages:
            text = message if isinstance(message, str | bytes) else json.dumps(message)
            lines.append(text.encode() if isinstance(text, str) else text)
        (self.folder / "messages").write_bytes(b"".join(line + b"\n" for line in lines))

    @property
    def seen(self) -> list[dict[str, Any]]:
        """What each run of it saw."""
        return [json.loads(line) for line in (self.folder / "seen.jsonl").read_text().splitlines()]


def schema(
    properties: dict[str, Any] = PROPERTIES, key: tuple[str, ...] = ("id",), stream: str = "orders"
) -> dict[str, Any]:
    return {"type": "SCHEMA", "stream": stream, "key_properties": list(key),
            "schema": {"type": "object", "properties": properties}}  # fmt: skip


def record(id: Any, note: Any = "x", stream: str = "orders", **more: Any) -> dict[str, Any]:
    values = {"id": id, "note": note} | more.pop("also", {})
    return {"type": "RECORD", "stream": stream, "record": values, **more}


def state(value: Any) -> dict[str, Any]:
    return {"type": "STATE", "value": {"bookmarks": {"orders": value}}}


def activate(version: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": "orders", "version": version}


@pytest.fixture
def tap(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> FakeTap:
    tap = FakeTap(lab.folder / "tap")
    monkeypatch.setenv("PATH", f"{tap.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TAP_PASSWORD", "canary-secret")
    return tap


def declare(lab: Lab, options: str = KEY, text: str = SHOP) -> None:
    lab.declare(text.replace("OPTIONS", options))


def counts(lab: Lab, **options: Any) -> tuple[int, int, int, int, int]:
    (table,) = lab.load(**options).tables
    assert table.error is None, table.error
    assert lab.ledger_balances()
    c = table.counts
    return c.read, c.loaded, c.quarantined, c.suppressed, c.vanished


def error(lab: Lab) -> str:
    (table,) = lab.load().tables
    assert table.error is not None
    assert lab.ledger_balances()
    return table.error


def live(lab: Lab, columns: str = "id, note") -> list[tuple]:
    return lab.query(
        f"select {columns} from raw_shop.orders where _deleted_at is null order by id, note"
    )


def is_alive(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


def reasons(lab: Lab) -> list[str]:
    return [row[0] for row in lab.query("select reason from raw_ledger.quarantine order by 1")]


# -- rows ------------------------------------------------------------------------------------------


@on_engines("duckdb")
def test_values_land_as_the_tap_wrote_them(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    values = {
        "1.10": "1.10",
        "0.12345678901234567890123": "0.12345678901234567890123",
        "1E5": "1E5",
        "-12345678901234567890123": "-12345678901234567890123",
        "9007199254740993.5": "9007199254740993.5",
        "12.5": "12.5",
        "true": "true",
        "null": None,
        '"null"': "null",
        '""': "",
        "-0": "-0",
        "-0.0": "-0.0",
        "100.0": "100.0",
        '"007"': "007",
        '"a: 1.10, [1E5]"': "a: 1.10, [1E5]",
        r'"\"1.10\" \\ \n \ud83d\ude00 한글"': '"1.10" \\ \n 😀 한글',
        '{"a":1.10,"b":["1.10",2.500]}': '{"a":1.10,"b":["1.10",2.500]}',
    }
    line = '{"type": "RECORD", "stream": "orders", "record": {"id": ID, "note": VALUE}}'
    tap.says(schema(), *(line.replace("ID", f"{n}").replace("VALUE", value)
                         for n, value in enumerate(values)))  # fmt: skip
    assert counts(lab) == (len(values), len(values), 0, 0, 0)
    assert live(lab) == list(enumerate(values.values()))


@on_engines("duckdb")
def test_numbers_stay_exact_or_go_to_quarantine(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    line = '{"type":"RECORD","stream":"orders","record":{"id":ID,"amount":VALUE}}'
    values = ["12345678901.123456789", "12.50", "1E5", "NaN", "0.1234567891", "1e400", "-3"]
    tap.says(schema(), *(line.replace("ID", f"{n}").replace("VALUE", v)
                         for n, v in enumerate(values)))  # fmt: skip
    assert counts(lab) == (7, 3, 4, 0, 0)
    assert live(lab, "id, cast(amount as varchar), note") == [
        (0, "12345678901.123456789", None), (1, "12.500000000", None), (6, "-3.000000000", None)
    ]  # fmt: skip


@on_engines("duckdb")
def test_their_names_become_ours(lab: Lab, tap: FakeTap) -> None:
    declare(
        lab, 'stream: public-Orders\n        key: [id]\n        header: {Id: id, "메모/a~b": note}'
    )
    properties = {"Id": {}, "메모/a~b": {}, "amount": {}}
    tap.discovers("public-Orders", properties, ("Id",))
    values = {"Id": 1, "메모/a~b": "x", "amount": None}
    tap.says(
        schema(properties, ("Id",), "public-Orders"),
        {"type": "RECORD", "stream": "public-Orders", "record": values},
    )
    assert counts(lab) == (1, 1, 0, 0, 0)
    assert live(lab) == [(1, "x")]


def test_of_two_versions_in_a_run_the_later_one_lands(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.says(schema(), *(record(n % 3, f"version {n:03}") for n in range(300)))
    assert counts(lab) == (300, 3, 0, 297, 0)
    assert live(lab) == [(0, "version 297"), (1, "version 298"), (2, "version 299")]


@on_engines("duckdb")
def test_a_row_that_comes_again_changes_nothing_and_a_changed_one_replaces(
    lab: Lab, tap: FakeTap
) -> None:
    declare(lab)
    tap.says(schema(), record(1), record(2))
    assert counts(lab) == (2, 2, 0, 0, 0)
    tap.says(schema(), record(1), record(2, "new"))
    assert counts(lab) == (2, 1, 0, 1, 0)
    assert live(lab) == [(1, "x"), (2, "new")]


def test_rows_without_a_key_stay_as_many_as_they_are(lab: Lab, tap: FakeTap) -> None:
    declare(lab, "")
    tap.discovers("orders", PROPERTIES, ())
    messages = [schema(key=()), record(1), record(1), record(2)]
    tap.says(*messages, state(1))
    assert counts(lab) == (3, 3, 0, 0, 0)
    tap.says(*messages, record(1), state(2))
    assert counts(lab) == (4, 1, 0, 3, 0)
    assert live(lab) == [(1, "x")] * 3 + [(2, "x")]


# -- what the tap is told --------------------------------------------------------------------------


@on_engines("duckdb")
def test_only_what_is_declared_is_asked_for(lab: Lab, tap: FakeTap) -> None:
    declare(lab, KEY, SHOP.replace("note: string none", "note: string none, phone: string drop"))
    properties = {name: {"type": "string"} for name in (*PROPERTIES, "phone", "surname")}
    tap.discovers("orders", properties | {"surname": {"properties": {"first": {}}}})
    tap.says(schema(), record(1))
    (table,) = lab.load().tables
    assert (table.error, table.undeclared) == (None, {"surname"})
    orders, others = tap.seen[0]["catalog"]["streams"]
    for place in (others, others["schema"], others["metadata"][0]["metadata"]):
        assert place["selected"] is False
    for place in (orders, orders["schema"], orders["metadata"][0]["metadata"]):
        assert place["selected"] is True
    wanted = {"id": True, "amount": True, "note": True, "phone": False, "surname": False}
    assert {name: one["selected"] for name, one in orders["schema"]["properties"].items()} == wanted
    marked = {one["breadcrumb"][1]: one["metadata"]["selected"] for one in orders["metadata"][1:]}
    assert marked == wanted


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("options", "method", "key"),
    [
        ("", "FULL_TABLE", None),
        ("mode: full", "FULL_TABLE", None),
        ("cursor: changed_at", "INCREMENTAL", "changed_at"),
    ],
)
def test_the_declared_cursor_is_how_the_tap_goes_on(
    lab: Lab, tap: FakeTap, options: str, method: str, key: str | None
) -> None:
    text = SHOP.replace("note: string none", "note: string none, changed_at: timestamp none")
    declare(lab, f"{KEY}\n        {options}", text)
    properties = PROPERTIES | {"changed_at": {"type": "string"}}
    tap.discovers("orders", properties)
    tap.says(schema(properties), record(1))
    counts(lab)
    asked = tap.seen[0]["catalog"]["streams"][0]
    root = asked["metadata"][0]["metadata"]
    assert (asked["replication_method"], asked.get("replication_key")) == (method, key)
    assert (root["replication-method"], root.get("replication-key")) == (method, key)


@on_engines("duckdb")
@pytest.mark.parametrize("names", [["--catalog"], ["--properties"], ["--catalog", "--properties"]])
def test_older_taps_get_their_catalog_as_properties(
    lab: Lab, tap: FakeTap, names: list[str]
) -> None:
    declare(lab)
    tap.help("usage: [--config CONFIG] [--discover] " + " ".join(names))
    tap.says(schema(), record(1))
    counts(lab)
    assert tap.seen[0]["options"] == sorted(["--config", *names])


@on_engines("duckdb")
def test_discovery_is_asked_once_per_source_and_run(
    lab: Lab, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    discover = singer.Tap.discover
    monkeypatch.setattr(singer.Tap, "discover", lambda self: asked.append(1) or discover(self))
    text = SHOP + SHOP[SHOP.index("      orders:") :].replace("orders:", "others:")
    declare(lab, KEY, text)
    tap.says(schema(), schema(stream="others"), record(1), record(1, stream="others"))
    assert not lab.load().failed
    assert len(asked) == 1
    lab.load()
    assert len(asked) == 2


@on_engines("duckdb")
def test_secrets_stand_in_a_private_file_that_is_removed(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    for ending in ("", "sys.exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"):
        tap.ends(ending)
        tap.says(schema(), record(1))
        lab.load()
        assert tap.seen[-1]["config"] == {"host": "here", "password": "canary-secret"}
        assert tap.seen[-1]["modes"] == [0o600, 0o700]
        assert list((lab.folder / "landing").iterdir()) == []


@on_engines("duckdb")
def test_the_warehouse_s_secrets_are_not_the_tap_s(
    lab: Lab, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOODOC_PSEUDONYM_KEY_FILE", "key")
    declare(lab)
    tap.says(schema(), record(1))
    counts(lab)
    assert not [name for name in tap.seen[0]["environment"] if name.startswith("GOODOC_")]


# -- state -----------------------------------------------------------------------------------------


def test_the_last_state_is_told_at_the_next_run(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.says(schema(), record(1), state({"at": 1}), record(2), state({"at": "2 ' 한"}))
    counts(lab)
    tap.says(schema())
    assert counts(lab) == (0, 0, 0, 0, 0)
    tap.says(schema(), state(3))
    counts(lab)
    tap.says(schema())
    counts(lab)
    told = [seen["state"] and seen["state"]["bookmarks"]["orders"] for seen in tap.seen]
    assert told == [None, {"at": "2 ' 한"}, {"at": "2 ' 한"}, 3]


@on_engines("duckdb")
def test_what_is_read_again_is_read_without_a_state(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.says(schema(), record(1), state(1))
    counts(lab)
    counts(lab, replay=[("shop", "orders")])
    assert [seen["state"] for seen in tap.seen] == [None, None]


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(singer, "SLICE_BYTES", 2000)
    monkeypatch.setattr(singer, "_CHUNK", 1000)
    read = os.read
    monkeypatch.setattr(singer.os, "read", lambda file, size: read(file, min(size, 1000)))


@on_engines("duckdb")
def test_a_slice_is_committed_with_the_last_state_before_its_end(
    lab: Lab, tap: FakeTap, small_slices: None
) -> None:
    declare(lab)
    rows = [message for n in range(200) for message in (record(n), state(n))]
    tap.says(schema(), *rows, schema(PROPERTIES, ("note",)))
    assert "the key of table orders is declared as id, its stream says note" in error(lab)
    ((text,),) = lab.query("select state from raw_ledger.states")
    reached = json.loads(text)["bookmarks"]["orders"]
    there = [row[0] for row in live(lab)]
    assert 0 < reached < 199
    assert set(range(reached + 1)) <= set(there), "no state is ahead of its rows"
    assert len(lab.query("select load_id from raw_ledger.loads")) > 3
    assert list((lab.folder / "landing").iterdir()) == []


KILL = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from engines import open_warehouse
from extract_load import load, read_sources
from extract_load.readers import singer

read, warehouse = os.read, open_warehouse({engine!r}, {place!r})
singer.SLICE_BYTES, singer._CHUNK = 2000, 1000
singer.os.read = lambda file, size: read(file, min(size, 1000))
commit, seen = type(warehouse).commit, 0

def deadly(*arguments):
    global seen
    seen += 1
    if seen == 4 and {moment!r} == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    counts = commit(*arguments)
    if seen == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return counts

type(warehouse).commit = deadly
with warehouse:
    load(read_sources(Path({sources!r})).values(), warehouse, Path({landing!r}), None)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_between_two_slices_the_next_run_has_every_row_once(
    lab: Lab, tap: FakeTap, moment: str
) -> None:
    declare(lab)
    rows = [message for n in range(200) for message in (record(n), state(n))]
    tap.says(schema(), *rows)
    script = KILL.format(
        tests=str(Path(__file__).parent), engine=lab.engine, place=lab.place, moment=moment,
        sources=str(lab.sources), landing=str(lab.folder / "landing"),
    )  # fmt: skip
    tap.ends("time.sleep(60)")
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert 0 < len(live(lab)) < 200
    left = list((lab.folder / "landing").glob("tap-*"))
    assert left, "the killed run had its config there"
    # a tap that minds its state goes on behind it
    tap.ends("")
    ((text,),) = lab.query("select state from raw_ledger.states")
    reached = json.loads(text)["bookmarks"]["orders"]
    tap.says(schema(), *rows[2 * reached :])
    counts(lab)
    assert tap.seen[-1]["state"]["bookmarks"]["orders"] == reached
    assert [row[0] for row in live(lab)] == list(range(200))
    assert list((lab.folder / "landing").iterdir()) == []
    if sys.platform == "linux":
        assert not is_alive(tap.seen[0]["pid"]), "the tap died with us"


# -- schemas ---------------------------------------------------------------------------------------


@on_engines("duckdb")
def test_a_stream_or_column_that_is_missing_is_an_error_that_keeps_the_rows(
    lab: Lab, tap: FakeTap
) -> None:
    declare(lab)
    tap.says(schema(), record(1))
    counts(lab)
    less = {name: kind for name, kind in PROPERTIES.items() if name != "note"}
    tap.says(schema(less), record(2))
    assert "orders lacks declared column note: kept what was loaded before" in error(lab)
    tap.discovers("orders", less)
    assert "orders lacks declared column note: kept what was loaded before" in error(lab)
    tap.discovers("goods", PROPERTIES)
    assert "the tap has no stream orders, but goods, others" in error(lab)
    assert live(lab) == [(1, "x")]


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("declared", "said", "told"),
    [(KEY, ("id", "note"), "id, its stream says id, note"),
     (KEY, (), "id, its stream says none"),
     ("", ("id",), "none, its stream says id")],
)  # fmt: skip
def test_another_key_than_the_declared_one_is_refused_with_both(
    lab: Lab, tap: FakeTap, declared: str, said: tuple[str, ...], told: str
) -> None:
    declare(lab, declared)
    tap.says(schema(key=said), record(1))
    assert f"the key of table orders is declared as {told}" in error(lab)
    assert live(lab) == []


@on_engines("duckdb")
def test_a_view_gets_the_declared_key(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.discovers("orders", PROPERTIES, ())
    tap.says(schema(), record(1))
    counts(lab)
    asked = tap.seen[0]["catalog"]["streams"][0]
    assert asked["key_properties"] == ["id"]
    assert asked["metadata"][0]["metadata"]["view-key-properties"] == ["id"]


@on_engines("duckdb")
def test_a_schema_that_changes_midway_alters_nothing_unseen(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    changed = PROPERTIES | {"amount": {"type": "string"}, "extra": {"type": "string"}}
    tap.says(
        schema(), record(1, also={"amount": 1}),
        schema(changed), record(2, also={"amount": "1,000", "extra": "e"}),
        record(3, also={"amount": "7"}),
    )  # fmt: skip
    (table,) = lab.load().tables
    assert table.undeclared == {"extra"}
    assert (table.counts.loaded, table.counts.quarantined) == (2, 1)
    assert reasons(lab) == ["amount is no numeric"]


# -- messages --------------------------------------------------------------------------------------


@on_engines("duckdb")
def test_lines_that_are_no_good_message_are_quarantined_by_their_number(
    lab: Lab, tap: FakeTap
) -> None:
    declare(lab)
    tap.says(
        record(1, "before its schema"), schema(), record(2), "김철수 010-1234-5678", '{"cut',
        record(None), {"type": "RECORD", "stream": "orders", "record": {"note": "no key"}},
        {"type": "RECORD", "stream": "orders"}, {"type": "RECORD", "stream": "others"}, "",
        b'{"type":"RECORD","stream":"orders","record":{"id":3,"note":"\xff"}}', "[1]",
        {"type": "NEWS", "stream": "orders"}, record(4, "a\0b"),
        {"type": "RECORD", "record": {"id": 6}}, record(5),
    )  # fmt: skip
    assert counts(lab) == (12, 2, 10, 0, 0)
    assert reasons(lab) == [
        "a NUL character",
        "bytes that the encoding lacks",
        "line 1 is a RECORD before its SCHEMA",
        "line 12 is no Singer message",
        "line 15 is a RECORD without its stream",
        "line 4 is no Singer message",
        "line 5 is no Singer message",
        "line 6 lacks the key",
        "line 7 lacks the key",
        "line 8 is a RECORD without its record",
    ]
    assert live(lab) == [(2, "x"), (5, "x")]
    (shape,) = lab.query(
        "select masked_row from raw_ledger.quarantine where reason = 'line 4 is no Singer message'"
    )
    assert shape == ("가가가 999-9999-9999",)


@on_engines("duckdb")
def test_messages_of_kinds_to_come_are_left_aside_and_named(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.says({"type": "LOG"}, schema(), {"type": "NEWS", "stream": "orders"}, record(1))
    (table,) = lab.load().tables
    assert (table.error, table.counts.read, table.counts.loaded) == (None, 1, 1)
    assert table.notes == [
        "tap-fake sends LOG messages, which were left aside",
        "tap-fake sends NEWS messages, which were left aside",
    ]


@on_engines("duckdb")
def test_batches_are_refused(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.says(schema(), {"type": "BATCH", "stream": "orders", "manifest": ["file:///etc/passwd"]})
    assert "tap-fake sends BATCH messages" in error(lab)


@on_engines("duckdb")
def test_a_line_without_an_end_is_refused_before_memory_is_full(
    lab: Lab, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(singer, "_LONGEST_LINE", 100_000)
    declare(lab)
    tap.says(schema())
    tap.ends("[sys.stdout.write('x' * 100_000) for _ in range(10_000)]")
    assert "line 2 of the tap has more than 100,000 bytes" in error(lab)


@pytest.mark.parametrize("slices", ["one slice", "many slices"])
def test_a_finished_version_marks_what_it_lacks(
    lab: Lab, tap: FakeTap, slices: str, request: pytest.FixtureRequest
) -> None:
    if slices == "many slices":
        request.getfixturevalue("small_slices")
    declare(lab)
    first = [record(n, version=1) for n in range(100)]
    tap.says(schema(), *first, activate(1))
    assert counts(lab) == (100, 100, 0, 0, 0)
    tap.says(schema(), *(record(n, version=2) for n in range(100) if n % 10), activate(2))
    assert counts(lab) == (90, 0, 0, 90, 10)
    assert len(live(lab)) == 90


@on_engines("duckdb")
@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([activate(2), record(1, version=2)], id="not finished"),
        pytest.param([record(1, version=2), record(1), activate(2)], id="rows without a version"),
        pytest.param([record(1, version=1), activate(2)], id="rows of another version"),
        pytest.param([record(1, version=7), activate(7)], id="begun by an earlier run"),
    ],
)
def test_a_version_that_this_run_did_not_go_through_marks_nothing(
    lab: Lab, tap: FakeTap, messages: list
) -> None:
    declare(lab)
    tap.says(schema(), record(1), record(2), state({"version": 7, "last_pk": 2}))
    counts(lab)
    tap.says(schema(), *messages)
    assert counts(lab)[4] == 0
    assert len(live(lab)) == 2


@on_engines("duckdb")
@pytest.mark.parametrize("slices", ["one slice", "many slices"])
def test_a_full_table_marks_what_vanished(
    lab: Lab, tap: FakeTap, slices: str, request: pytest.FixtureRequest
) -> None:
    if slices == "many slices":
        request.getfixturevalue("small_slices")
    declare(lab, f"{KEY}\n        mode: full")
    tap.says(schema(), *map(record, range(100)), state(1))
    counts(lab)
    tap.says(schema(), *map(record, range(90)), state(2))
    tap.ends("sys.exit(1)")
    assert "tap-fake ended with 1" in error(lab)
    assert len(live(lab)) == 100, "a tap that failed says nothing of the rows it didn't send"
    tap.ends("")
    assert counts(lab)[4] == 10
    tap.says(schema())
    assert "came back empty" in error(lab)
    assert len(live(lab)) == 90
    assert [seen["state"] for seen in tap.seen] == [None] * 4
    declare(lab, f"{KEY}\n        mode: full\n        empty: allowed")
    assert counts(lab)[4] == 90


# -- taps that fail --------------------------------------------------------------------------------


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("sys.exit(3)", "tap-fake ended with 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "tap-fake was ended by signal 9"),
        ("raise ValueError('no such host')", "tap-fake ended with 1: ValueError: no such host"),
    ],
)
def test_of_a_tap_that_fails_the_rows_stay_and_the_cut_line_does_not(
    lab: Lab, tap: FakeTap, ending: str, told: str
) -> None:
    declare(lab)
    tap.says(schema(), record(1), state(1))
    tap.ends(f"""sys.stdout.write('{{"type": "REC'); sys.stdout.flush(); {ending}""")
    assert error(lab) == told
    assert (live(lab), reasons(lab)) == ([(1, "x")], [])
    assert lab.query("select outcome from raw_ledger.runs") == [("failed",)]


@on_engines("duckdb")
def test_a_tap_s_last_words_hold_no_secret_and_no_person(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    tap.says(schema())
    tap.ends(
        "sys.exit('401 for http://me:pw@host/a?key=canary-2 with ' + config['password'] +"
        " ' of kim@x.example 010-1234-5678')"
    )
    told = error(lab)
    assert told == "tap-fake ended with 1: 401 for http://***@host/a?*** with *** of *** ***"
    assert "canary" not in str(lab.query("select * from raw_ledger.runs"))


@on_engines("duckdb")
def test_taps_that_are_not_there_or_discover_nothing_are_named(lab: Lab, tap: FakeTap) -> None:
    declare(lab)
    (tap.folder / "catalog.json").write_text("no catalog")
    assert "tap-fake --discover wrote no catalog" in error(lab)
    (tap.folder / "catalog.json").unlink()
    assert "tap-fake ended with 1: FileNotFoundError" in error(lab)
    (tap.folder / "tap-fake").unlink()
    assert "tap-fake is not on the PATH" in error(lab)


@on_engines("duckdb")
def test_a_tap_that_goes_on_for_ever_is_ended_with_its_children(
    lab: Lab, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(singer, "_SILENCE", 0.5)
    declare(lab)
    tap.says(schema(), record(1))
    tap.ends(
        "import subprocess; c = subprocess.Popen(['sleep', '60']);"
        "(folder / 'child').write_text(str(c.pid)); time.sleep(60)"
    )
    assert "tap-fake said nothing for" in error(lab)
    time.sleep(0.2)
    assert not is_alive(int((tap.folder / "child").read_text()))


# -- what others made ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def taps() -> Path:
    """An environment with the taps of singer_taps.lock, which need other versions than we do."""
    lock = Path(__file__).parent / "singer_taps.lock"
    folder = Path(sys.prefix) / "singer_taps" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not (folder / "complete").exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        for command in (
            ["venv", "--python", sys.executable, str(folder)],
            ["pip", "sync", "--require-hashes", "--python", str(folder), str(lock)],
        ):
            made = subprocess.run([uv.find_uv_bin(), *command], capture_output=True, text=True)
            if made.returncode:
                assert "hash" not in made.stderr.lower(), made.stderr
                pytest.skip(f"the package index gives no taps: {made.stderr.strip()}")
        (folder / "complete").touch()
    return folder


@pytest.fixture
def on_path(taps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{taps / 'bin'}{os.pathsep}{os.environ['PATH']}")


def declared_for(messages: list[dict[str, Any]]) -> str:
    """A declaration for all streams of some messages, by the first schema of each."""
    tables: dict[str, Any] = {}
    header: dict[str, str] = {}
    for message in messages:
        if message["type"] == "SCHEMA":
            properties = message["schema"]["properties"]
            header |= {name: f"c{n}" for n, name in enumerate(properties, len(header))}
            kinds = {"integer": "bigint", "number": "numeric"}
            entry = {
                "description": "One row is a row.",
                "stream": message["stream"],
                "key": [header[name] for name in message["key_properties"]],
                "header": {name: header[name] for name in properties},
                "columns": {
                    header[name]: f"{kinds.get(str(kind.get('type')), 'string')} none"
                    for name, kind in properties.items()
                },
            }
            if message["stream"] not in [table["stream"] for table in tables.values()]:
                tables[f"t{len(tables)}"] = entry
    source = {"source": "shop", "description": "A shop.", "reader": "singer",
              "tap": {"executable": "tap-fake"}, "tables": tables}  # fmt: skip
    return yaml.safe_dump(source, allow_unicode=True)


@on_engines("duckdb")
def test_the_bank_of_hostile_streams(lab: Lab, tap: FakeTap, taps: Path) -> None:
    """Those that the Meltano SDK has for targets. Each row lands or is in quarantine."""
    (bank,) = taps.glob("lib/*/site-packages/singer_sdk/testing/target_test_streams")
    rejected = {}
    for number, file in enumerate(sorted(bank.glob("*.singer"))):
        if file.stem == "invalid_schema":  # it has no columns to declare
            continue
        messages = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        tap.says(*messages)
        text = declared_for(messages).replace("source: shop", f"source: s{number}")
        for old in lab.sources.iterdir():
            old.unlink()
        lab.declare(text, f"s{number}")
        entries = [
            {"tap_stream_id": m["stream"], "stream": m["stream"], "schema": m["schema"],
             "key_properties": m["key_properties"]}
            for m in messages if m["type"] == "SCHEMA"
        ]  # fmt: skip
        (tap.folder / "catalog.json").write_text(json.dumps({"streams": entries}))
        for table, declared in zip(
            lab.load().tables, yaml.safe_load(text)["tables"].values(), strict=True
        ):
            assert table.error is None, f"{file.stem}: {table.error}"
            stream = declared["stream"]
            sent = [m for m in messages if m["type"] == "RECORD" and m["stream"] == stream]
            assert table.counts.read == len(sent), file.stem
            rejected[file.stem] = rejected.get(file.stem, 0) + table.counts.quarantined
    assert lab.ledger_balances()
    assert len(rejected) >= 15
    assert {name: count for name, count in rejected.items() if count} == {
        "encoded_string_data": 1,  # a NUL character
        "record_before_schema": 1,
        "record_missing_key_property": 1,
    }


@on_engines("duckdb")
def test_a_real_tap_of_a_database(lab: Lab, on_path: None, monkeypatch: pytest.MonkeyPatch) -> None:
    url = engines.postgres_server()
    monkeypatch.setenv("SHOP_URL", url)
    engines.run_on_postgres(
        url,
        "create table orders (id bigint primary key, amount numeric(20, 4), note text,"
        " more jsonb, paid boolean, phone text, surname text, sent_at timestamptz)",
        """insert into orders values (1, 1234567890.1200, '한글 😀 "x"', '{"a": [1, 2]}', true,
            '010', 'Kim', '2026-01-01 09:00+09')""",
        "insert into orders (id, sent_at) values (2, '2026-01-02 00:00:00.123456+00')",
    )
    lab.declare("""\
        source: shop
        description: A shop.
        reader: singer
        tap:
          executable: tap-postgres
          config: {sqlalchemy_url: "${SHOP_URL}", filter_schemas: [public]}
        tables:
          orders:
            description: One row is an order.
            stream: public-orders
            key: [id]
            cursor: sent_at
            columns:
              id: bigint none
              amount: numeric none
              note: string none
              more: string none
              paid: boolean none
              phone: string drop
              sent_at: timestamp none
        """)  # fmt: skip
    (table,) = lab.load().tables
    assert (table.error, table.counts.loaded, table.undeclared) == (None, 2, {"surname"})
    assert lab.query(
        "select id, cast(amount as varchar), note, more, paid, cast(sent_at as varchar)"
        " from raw_shop.orders order by id"
    ) == [
        (1, "1234567890.120000000", '한글 😀 "x"', '{"a":[1,2]}', True, "2026-01-01 00:00:00"),
        (2, None, None, None, None, "2026-01-02 00:00:00.123456"),
    ]
    engines.run_on_postgres(
        url,
        "update orders set note = 'changed behind the cursor' where id = 1",
        "insert into orders (id, sent_at) values (3, '2026-01-03')",
    )
    (table,) = lab.load().tables
    assert (table.error, table.counts.read, table.counts.loaded) == (None, 2, 1)
    assert lab.ledger_balances()


class Api(BaseHTTPRequestHandler):
    """Two pages of orders, to whom has the token."""

    def do_GET(self) -> None:
        signed_in = self.headers["Authorization"] == "Bearer canary-secret"
        page = int((parse_qs(urlsplit(self.path).query).get("page") or ["1"])[0])
        orders = [{"id": n, "price": n + 0.5, "이름": "굿닥"} for n in (2 * page, 2 * page + 1)]
        body = {"orders": orders, "hasMore": page < 2}
        self.send_response(200 if signed_in else 401)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@on_engines("duckdb")
def test_a_real_tap_of_a_web_api(lab: Lab, on_path: None, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("API_TOKEN", "canary-secret")
    monkeypatch.setenv("API_URL", f"http://127.0.0.1:{server.server_port}")
    lab.declare("""\
        source: shop
        description: A shop.
        reader: singer
        tap:
          executable: tap-rest-api-msdk
          config:
            api_url: ${API_URL}
            headers: {Authorization: "Bearer ${API_TOKEN}"}
            pagination_request_style: page_number_paginator
            pagination_response_style: page
            num_inference_records: 2
            streams:
            - {name: orders, path: /orders, records_path: "$.orders[*]", primary_keys: [id]}
        tables:
          orders:
            description: One row is an order.
            key: [id]
            header: {이름: name}
            columns: {id: bigint none, price: numeric none, name: string none}
        """)
    try:
        (table,) = lab.load().tables
        assert table.error is None
        assert lab.query("select id, price, name from raw_shop.orders order by id") == [
            (n, n + 0.5, "굿닥") for n in (2, 3, 4, 5)
        ]
        monkeypatch.setenv("API_TOKEN", "canary-wrong")
        (table,) = lab.load().tables
        assert "tap-rest-api-msdk ended with 1" in table.error
        assert "canary" not in table.error
    finally:
        server.shutdown()

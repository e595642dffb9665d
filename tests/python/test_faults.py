"""Killed at any moment, or run twice at once: one more command has every row, each once."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import pytest

from conftest import Lab
from engines import on_engines
from extract_load.loader.lock import LockedError, writer_lock
from extract_load.loader.warehouse import WarehouseError

SOURCES = {
    "drops": """\
        source: drops
        description: Dropped files.
        reader: files
        root: ${FILES}
        tables:
          rows:
            description: One row is a row.
            path: "*.csv"
            columns: {code: string none, amount: bigint none}
        """,
    "shop": """\
        source: shop
        description: A shop.
        reader: database
        connection: ${SHOP}
        defaults: {key: [id], cursor: updated_at, lag: 10m}
        tables:
          orders:
            description: One row is an order.
            deletes: compare_keys
            columns: {id: bigint none, amount: bigint none, updated_at: timestamp none}
          items:
            description: One row is an item.
            mode: full
            columns: {id: bigint none, amount: bigint none, updated_at: timestamp none}
        """,
}

# Each point kills the loader with SIGKILL just before (or just after) a step of its own.
KILL = """
import os, re, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from engines import open_warehouse
from extract_load import load, read_sources
from extract_load.loader import conform
from extract_load.readers.files import slice as file_slice

owner_name, function, moment, occurrence = {point!r}
warehouse = open_warehouse({engine!r}, {place!r})
owner = {{
    "Lander": conform.Lander, "Warehouse": type(warehouse), "SQL": type(warehouse),
    "slice": file_slice, "Sent": type(getattr(warehouse, "client", None)),
}}[owner_name]
statement = function if owner_name in ("SQL", "Sent") else None
function = "query" if statement else function
original, seen = getattr(owner, function), 0

def deadly(*arguments, **options):
    global seen
    mine = not statement or re.match(statement, arguments[1].strip())
    seen += bool(mine)
    if mine and moment == "before" and seen == occurrence:
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **options)
    if mine and moment == "after" and seen == occurrence:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, function, deadly)
with warehouse:
    load(read_sources(Path({sources!r})).values(), warehouse, Path({landing!r}), None)
"""

LANDING = [
    ("slice", "rows_of", "before", 2),  # while a slice is being read
    ("Lander", "land", "before", 2),  # between tables
    ("Lander", "land", "after", 1),  # landed, nothing committed
]
MOVING = [
    ("SQL", "create temp table incoming", "after", 2),  # in the transaction, nothing written
    ("SQL", "merge into raw_(drops|shop).* delete", "after", 1),  # deleted, not yet inserted
    ("SQL", "insert into raw_(drops|shop)", "after", 2),  # rows inserted, no ledger row
    ("SQL", "merge into raw_(drops|shop).* update", "after", 3),  # vanished rows marked
    ("SQL", "insert into raw_ledger.loads", "after", 1),  # all written, not committed
    ("SQL", "commit", "before", 2),
    ("SQL", "commit", "after", 1),  # committed, the counts not read back
    ("Warehouse", "commit", "after", 2),  # committed, not yet reported
    ("Warehouse", "record_run", "before", 3),
]


def prepare(lab: Lab, rows: int = 3000) -> None:
    """Three files and two tables; a first good load, then changes of every kind."""
    for name, text in SOURCES.items():
        lab.declare(text, name)
    for n in range(3):
        body = "".join(f"c{n}-{i},{i}\n" for i in range(rows))
        (lab.files / f"{n}.csv").write_text("code,amount\n" + body)
    with sqlite3.connect(lab.database) as connection:
        for table in ("orders", "items"):
            connection.execute(f"create table {table} (id integer primary key, amount, updated_at)")
            connection.executemany(
                f"insert into {table} values (?, ?, '2026-01-01 00:00:00')",
                [(i, i) for i in range(rows)],
            )
    assert not lab.load(key=None).failed
    (lab.files / "1.csv").write_text(
        "code,amount\n" + "".join(f"new-{i},{i}\n" for i in range(500))
    )
    (lab.files / "3.csv").write_text("code,amount\nlast,1\nbad,x\n")
    with sqlite3.connect(lab.database) as connection:
        for table in ("orders", "items"):
            connection.execute(
                f"update {table} set amount = -1, updated_at = '2026-02-01 00:00:00'"
                " where id % 10 = 0"
            )
            connection.execute(f"delete from {table} where id % 10 = 1")
            connection.execute(
                f"insert into {table} values (?, 1, '2026-02-01 00:00:00')", (rows + 1,)
            )


def run_until_killed(lab: Lab, point: tuple) -> None:
    script = KILL.format(
        point=point, engine=lab.engine, place=lab.place, sources=str(lab.sources),
        landing=str(lab.folder / "landing"), tests=str(Path(__file__).parent),
    )  # fmt: skip
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr


def contents(lab: Lab) -> dict[str, list[tuple]]:
    """All live rows, without the bookkeeping that may differ between one run and two."""
    tables = {
        "raw_drops.rows": "_file, _line, code, amount",
        "raw_shop.orders": "*",
        "raw_shop.items": "*",
    }
    return {
        table: lab.query(
            f"select {columns.replace('*', 'id, amount, updated_at')} from {table}"
            " where _deleted_at is null order by 1, 2"
        )
        for table, columns in tables.items()
    }


def check_caught_up(lab: Lab) -> None:
    """Compares with the sources themselves, not with another load."""
    found = contents(lab)
    with sqlite3.connect(lab.database) as connection:
        for table in ("orders", "items"):
            there = connection.execute(f"select id, amount from {table} order by id").fetchall()
            assert [row[:2] for row in found[f"raw_shop.{table}"]] == there
    expected = []
    for file in sorted(lab.files.glob("*.csv")):
        for line, text in enumerate(file.read_text().splitlines()[1:], 2):
            code, amount = text.split(",")
            if amount != "x":
                expected.append((file.name, line, code, int(amount)))
    assert found["raw_drops.rows"] == sorted(expected)
    assert lab.query("select file, line from raw_ledger.quarantine") == [("3.csv", 3)]
    assert lab.ledger_balances()


def name(point: tuple) -> str:
    return "-".join(map(str, point))


@on_engines("duckdb")
@pytest.mark.parametrize("point", LANDING, ids=name)
def test_killed_while_landing_the_next_command_catches_up(lab: Lab, point: tuple) -> None:
    kill_and_catch_up(lab, point)


@pytest.mark.parametrize("point", MOVING, ids=name)
def test_killed_while_moving_the_next_command_catches_up(lab: Lab, point: tuple) -> None:
    kill_and_catch_up(lab, point)


def kill_and_catch_up(lab: Lab, point: tuple) -> None:
    prepare(lab)
    before = contents(lab)
    run_until_killed(lab, point)
    # a reader sees each table as it was or as it becomes, never half of it
    between = contents(lab)
    assert not lab.load(key=None).failed
    after = contents(lab)
    for table, rows in between.items():
        assert rows in (before[table], after[table]), f"{table} was torn"
    check_caught_up(lab)
    assert list((lab.folder / "landing").iterdir()) == []


@on_engines("bigquery")
def test_killed_while_bigquery_works_the_next_command_catches_up(lab: Lab) -> None:
    prepare(lab, rows=20)
    run_until_killed(lab, ("Sent", "begin transaction", "after", 2))
    assert not lab.load(key=None).failed
    check_caught_up(lab)


@on_engines("duckdb")
@pytest.mark.parametrize("point", [LANDING[2], MOVING[2]], ids=name)
def test_killed_with_the_landing_folder_lost_as_well(lab: Lab, point: tuple) -> None:
    import shutil

    prepare(lab)
    run_until_killed(lab, point)
    shutil.rmtree(lab.folder / "landing")
    assert not lab.load(key=None).failed
    check_caught_up(lab)


@on_engines("duckdb")
def test_killed_again_and_again_it_still_ends_right(lab: Lab) -> None:
    prepare(lab)
    for point in LANDING + MOVING:
        run_until_killed(lab, (*point[:3], 1))
    assert not lab.load(key=None).failed
    check_caught_up(lab)


HOLD = """
import sys, time
from pathlib import Path
from extract_load.loader.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "goodoc load", 0):
    print("held", flush=True)
    time.sleep(60)
"""


READ = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(lab: Lab) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lab.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@on_engines("duckdb")
def test_a_second_run_refuses_and_names_the_holder(lab: Lab, holder: subprocess.Popen) -> None:
    with pytest.raises(LockedError) as caught, writer_lock(lab.folder, "goodoc build", wait=0):
        pass
    assert f"`goodoc load` (process {holder.pid}, since " in str(caught.value)


@on_engines("duckdb")
def test_a_second_run_waits_for_the_first_to_end(lab: Lab, holder: subprocess.Popen) -> None:
    told: list[str] = []

    def first_ends(text: str) -> None:
        told.append(text)
        holder.terminate()

    with writer_lock(lab.folder, "goodoc build", wait=30, on_wait=first_ends):
        assert json.loads((lab.folder / "writer.json").read_text())["pid"] == os.getpid()
    assert str(holder.pid) in told[0]


@on_engines("duckdb")
def test_the_lock_of_a_killed_run_is_taken_over(lab: Lab, holder: subprocess.Popen) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (lab.folder / "writer.json").exists(), "the dead run left its note"
    with writer_lock(lab.folder, "goodoc load", wait=0):
        pass


def test_two_commands_at_once_load_every_row_once(lab: Lab) -> None:
    prepare(lab)
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from extract_load import load, read_sources
        from extract_load.loader.lock import writer_lock
        tests, engine, place, folder = *sys.argv[1:4], Path(sys.argv[4])
        sys.path.insert(0, tests)
        from engines import open_warehouse
        sources = read_sources(folder / "sources").values()
        with writer_lock(folder, "goodoc load", 60):
            with open_warehouse(engine, place) as warehouse:
                sys.exit(bool(load(sources, warehouse, folder / "landing", None).failed))
    """)
    arguments = [str(Path(__file__).parent), lab.engine, lab.place, str(lab.folder)]
    runs = [
        subprocess.Popen([sys.executable, "-c", script, *arguments], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [run.wait() for run in runs] == [0, 0]
    check_caught_up(lab)


@on_engines("duckdb")
def test_a_reader_of_the_warehouse_delays_but_does_not_break_a_load(lab: Lab) -> None:
    prepare(lab)
    reader = subprocess.Popen(
        [sys.executable, "-c", READ, str(lab.warehouse)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert reader.stdout.readline() == "open\n"
        with pytest.raises(WarehouseError) as caught:
            lab.load(key=None)
        assert str(reader.pid) in str(caught.value)
    finally:
        reader.kill()
        reader.wait()
    time.sleep(0.1)
    assert not lab.load(key=None).failed
    check_caught_up(lab)


def test_the_ledger_cannot_hold_a_load_that_does_not_add_up(lab: Lab) -> None:
    prepare(lab)
    with pytest.raises((duckdb.ConstraintException, WarehouseError)):
        lab.query("update raw_ledger.loads set loaded_count = loaded_count + 1 where load_id = 1")

"""MySQL and MariaDB through SQLAlchemy: a server that mimics the protocol always, a real one where
there is one. What differs between engines of the warehouse is tested with other sources.
"""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest
from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, Session, User
from pymysql.cursors import SSCursor
from sqlglot import expressions

from conftest import Lab
from engines import on_engines
from extract_load.declaration import read_source
from extract_load.readers import ReadError, database

SHOP = """\
    source: shop
    description: A shop.
    reader: database
    connection: ${SHOP}
    tables:
      orders:
        description: One row is an order.
        key: [id]
        OPTIONS
        header: {비고: note}
        columns:
          id: bigint none
          amount: numeric none
          note: string none
          updated_at: timestamp none
"""
CURSOR = "cursor: updated_at\n        lag: 10m"
ORDERS = (
    "create table orders (id bigint primary key, amount decimal(30, 9), `비고` varchar(100),"
    " updated_at datetime(6))"
)


class Passwords(IdentityProvider):
    async def get_user(self, username: str) -> User:
        known = NativePasswordAuthPlugin.create_auth_string("canary-secret")
        return User(username, known, NativePasswordAuthPlugin.name)


class Mimic:
    """A server of the MySQL protocol in a thread, over tables of DuckDB.

    `more` are rows that it sends after those of a table; they may fail on their way.
    """

    def __init__(self) -> None:
        self.tables = duckdb.connect(":memory:")
        self.more: Iterable[tuple] = ()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"mysql://root:canary-secret@127.0.0.1:{port}/shop"
        started = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(port, started), daemon=True)
        self.thread.start()
        assert started.wait(10)

    def run(self, statement: str) -> None:
        self.tables.execute(statement.replace("`", '"').replace("datetime(6)", "timestamp"))

    def _serve(self, port: int, started: threading.Event) -> None:
        mimic = self

        class Tables(Session):
            async def handle_query(self, sql: str, attrs: Any) -> Any:
                if sql.startswith("start transaction with"):  # which it can't parse
                    return [], []
                return await super().handle_query(sql, attrs)

            async def query(self, expression: Any, sql: str, attrs: Any) -> Any:
                if not isinstance(expression, expressions.Select):
                    return [], []
                result = mimic.tables.execute(expression.sql(dialect="duckdb"))
                names = [column[0] for column in result.description]
                more = mimic.more if len(names) > 1 else ()
                return chain(result.fetchall(), more), names

            async def schema(self) -> Any:
                found: dict[str, dict[str, str]] = {}
                for table, column, kind in mimic.tables.execute(
                    "select table_name, column_name, data_type from information_schema.columns"
                ).fetchall():
                    kind = "DATETIME" if kind == "TIMESTAMP" else kind
                    found.setdefault(table, {})[column] = kind
                return {"shop": found}

        async def serve() -> None:
            self.ends = asyncio.get_running_loop().create_future()
            server = MysqlServer(Tables, identity_provider=Passwords())
            await server.start_server(host="127.0.0.1", port=port)
            started.set()
            await self.ends

        asyncio.run(serve())


class MariaDB:
    """A real server with an empty database, on a Unix socket alone; it runs in Korean time."""

    def __init__(self, folder: Path):
        data, place = folder / "data", folder / "socket"
        data.mkdir()
        executable = shutil.which("mariadbd") or shutil.which("mysqld") or ""
        self.process = subprocess.Popen(
            [executable, "--no-defaults", f"--datadir={data}", f"--socket={place}",
             "--skip-networking", "--skip-grant-tables", "--user=root", "--innodb-log-file-size=8M",
             "--innodb-flush-log-at-trx-commit=0", f"--log-error={folder / 'log'}",
             f"--pid-file={folder / 'pid'}", "--default-time-zone=+09:00"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.url = f"mysql+pymysql://root:canary-secret@localhost/shop?unix_socket={place}"
        for _ in range(300):
            try:
                with pymysql.connect(user="root", unix_socket=str(place)) as connection:
                    connection.cursor().execute("create database shop character set utf8mb4")
                break
            except pymysql.OperationalError:
                time.sleep(0.1)
        self._place = str(place)

    def run(self, statement: str) -> None:
        with pymysql.connect(
            user="root", unix_socket=self._place, database="shop", autocommit=True, sql_mode=""
        ) as connection:
            connection.cursor().execute(statement)


@pytest.fixture(scope="module")
def mimic() -> Iterator[Mimic]:
    server = Mimic()
    yield server
    server.ends.get_loop().call_soon_threadsafe(server.ends.set_result, None)
    server.thread.join(10)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    if not (shutil.which("mariadbd") or shutil.which("mysqld")):
        pytest.skip("there is no mariadbd or mysqld on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="goodoc_my_"))  # a socket's path has to be short
    server = MariaDB(folder)
    yield server
    server.process.kill()
    server.process.wait()
    shutil.rmtree(folder)


def prepared(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SHOP", server.url)
    server.run("drop table if exists orders")
    server.run(ORDERS)
    return server


@pytest.fixture(params=["mimic", "mariadb"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    return prepared(request.getfixturevalue(request.param), monkeypatch)


def declare(lab: Lab, options: str = CURSOR, text: str = SHOP) -> None:
    lab.declare(text.replace("OPTIONS", options))


def counts(lab: Lab, **options: Any) -> tuple[int, int, int, int, int]:
    (table,) = lab.load(**options).tables
    assert table.error is None, table.error
    assert lab.ledger_balances()
    c = table.counts
    return c.read, c.loaded, c.quarantined, c.suppressed, c.vanished


def live(lab: Lab, columns: str = "id, note") -> list[tuple]:
    return lab.query(
        f"select {columns} from raw_shop.orders where _deleted_at is null order by id, _load_id"
    )


@on_engines("duckdb")
def test_values_land_exactly(lab: Lab, server: Any) -> None:
    declare(lab, f"{CURSOR}\n        time_zone: Asia/Seoul")
    server.run(
        "insert into orders values"
        " (1, 123456789012345678901.123456789, '007', '2026-01-01 09:00:00'),"
        " (2, null, '한글 😀 100%% :x \"', '2026-01-01 09:00:00.123456'), (3, -0.5, '', null)"
    )
    assert counts(lab) == (3, 3, 0, 0, 0)
    assert live(lab, "id, amount, note, updated_at") == [
        (1, Decimal("123456789012345678901.123456789"), "007", datetime(2026, 1, 1)),
        (2, None, '한글 😀 100%% :x "', datetime(2026, 1, 1, 0, 0, 0, 123456)),
        (3, Decimal("-0.5"), "", None),
    ]


@on_engines("duckdb")
def test_a_second_run_reads_only_the_lag(lab: Lab, server: Any) -> None:
    declare(lab)
    server.run(
        "insert into orders values (1, 1, 'old', '2026-01-01'), (2, 1, 'b', '2026-01-02'),"
        " (3, 1, 'no cursor', null)"
    )
    counts(lab)
    server.run("insert into orders values (4, 1, 'same instant', '2026-01-02')")
    server.run("update orders set updated_at = '2026-01-03' where id = 2")
    server.run("update orders set `비고` = 'too late' where id = 1")
    assert counts(lab) == (3, 2, 0, 1, 0)
    assert live(lab) == [(1, "old"), (2, "b"), (3, "no cursor"), (4, "same instant")]


@on_engines("duckdb")
def test_compared_keys_find_hard_deletes(lab: Lab, server: Any) -> None:
    declare(lab, f"{CURSOR}\n        deletes: compare_keys")
    server.run("insert into orders values (1, 1, 'a', '2026-01-01'), (2, 1, 'b', '2026-01-02')")
    counts(lab)
    server.run("delete from orders where id = 1")
    assert counts(lab) == (1, 0, 0, 1, 1)
    assert live(lab) == [(2, "b")]


@on_engines("duckdb")
def test_a_missing_column_or_table_is_an_error_that_keeps_the_rows(lab: Lab, server: Any) -> None:
    declare(lab)
    server.run("insert into orders values (1, 1, 'a', '2026-01-01')")
    server.run("alter table orders add column surname varchar(20)")
    (table,) = lab.load().tables
    assert (table.error, table.undeclared) == (None, {"surname"})
    server.run("alter table orders rename column `비고` to remark")
    (table,) = lab.load().tables
    assert "lacks declared column note" in table.error
    server.run("drop table orders")
    assert "is not in the database" in lab.load().tables[0].error
    assert live(lab) == [(1, "a")]


@on_engines("duckdb")
def test_odd_types_land_exactly_or_are_quarantined(
    lab: Lab, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = prepared(mariadb, monkeypatch)
    server.run("drop table orders")
    values = {
        "huge bigint unsigned": ("18446744073709551615", "18446744073709551615"),
        "flag tinyint(1)": ("1", "1"),
        "bits bit(5)": ("b'10101'", "21"),
        "single float": ("0.1", "0.1"),
        "twice double": ("0.30000000000000004", "0.30000000000000004"),
        "bytes blob": ("x'00ff'", "\\x00ff"),
        "fixed binary(4)": ("'ab'", "\\x61620000"),
        "doc json": ("'{\"a\": 1.10}'", '{"a": 1.10}'),
        "kind enum('a', 'b')": ("'b'", "b"),
        "length time": ("'-838:59:59'", "-838:59:59"),
        "born year": ("2026", "2026"),
        "text_ longtext": ("repeat('가', 70000)", "가" * 70_000),
        "`할인%` int": ("7", "7"),
    }
    names = [definition.split()[0] for definition in values]
    server.run(
        f"create table orders (id int primary key, {', '.join(values)}, day date,"
        " wall datetime(6), instant timestamp(6) null) default charset utf8mb4"
    )
    inserted = ", ".join(sql for sql, _ in values.values())
    good = "'2026-01-01', '2026-01-01 09:00:00.123456', '2026-01-01 09:00:00.5'"
    server.run(f"insert into orders values (1, {inserted}, {good})")
    server.run("insert into orders (id, day, wall) values (2, '0000-00-00', '0000-00-00 00:00:00')")
    columns = {name.strip("`").replace("할인%", "discount"): "string none" for name in names}
    columns |= {"day": "date none", "wall": "timestamp none", "instant": "timestamp none"}
    text = ", ".join(f"{name}: {kind}" for name, kind in {"id": "bigint none", **columns}.items())
    lab.declare(f"""\
        source: shop
        description: A shop.
        reader: database
        connection: ${{SHOP}}
        tables:
          orders:
            description: One row is an order.
            key: [id]
            mode: full
            time_zone: Asia/Seoul
            header: {{할인%: discount}}
            columns: {{{text}}}
        """)
    assert counts(lab) == (2, 1, 1, 0, 0)
    (row,) = live(lab, ", ".join(columns))
    assert list(row[:-3]) == [landed for _, landed in values.values()]
    assert [str(value) for value in row[-3:]] == [
        "2026-01-01", "2026-01-01 00:00:00.123456", "2026-01-01 00:00:00.500000",
    ]  # fmt: skip
    assert lab.query("select reason from raw_ledger.quarantine") == [
        ("day is no date; wall is no timestamp",)
    ]


@on_engines("duckdb")
def test_rows_are_taken_from_the_server_batch_by_batch(
    lab: Lab, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    take = SSCursor.read_next

    def counted(self: SSCursor) -> Any:
        nonlocal taken
        taken += 1
        return take(self)

    monkeypatch.setattr(SSCursor, "read_next", counted)
    monkeypatch.setattr(database, "_BATCH", 100)
    declare(lab)
    rows = ", ".join(f"({n}, null, null, null)" for n in range(1000))
    server.run(f"insert into orders values {rows}")
    source = read_source(lab.sources / "shop.yml")
    with database.connect(source) as connection:
        batches = connection.read(source.tables["orders"], database.Window())
        assert batches.read_next_batch().num_rows == 100
        assert taken == 100
        assert sum(batch.num_rows for batch in batches) == 900
        assert connection.count(source.tables["orders"], datetime(2026, 1, 1)) == 0


@on_engines("duckdb")
def test_a_read_that_breaks_off_changes_nothing_and_shows_no_row(
    lab: Lab, mimic: Mimic, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = prepared(mimic, monkeypatch)
    declare(lab, "mode: full")
    server.run("insert into orders values (1, 1, 'a', '2026-01-01')")
    counts(lab)

    def broken() -> Iterator[tuple]:
        yield ("2", "1", "canary-row", None)
        raise OSError("the disk of the server is gone")

    monkeypatch.setattr(server, "more", broken())
    (table,) = lab.load().tables
    assert table.error == "source shop: reading broke off: (1105, 'the disk of the server is gone')"
    assert live(lab) == [(1, "a")]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://root:canary-secret@127.0.0.1:1/shop", "can't connect: (2003,"),
        ("mysql+mysqldb://root:canary-secret@127.0.0.1/shop", "install the Python package MySQLdb"),
        ("mssql+pymssql://root:canary-secret@127.0.0.1/shop", "install the Python package pymssql"),
        ("nosuch://root:canary-secret@127.0.0.1/shop", "'nosuch' is no database that SQLAlchemy"),
        ("MIMIC", "can't connect: (1045,"),
        ("canary-secret", "its connection is no URL"),
        ("mysql://root:canary-secret@127.0.0.1:port/shop", "its connection is no URL"),
        ("postgresql://root:canary-secret@127.0.0.1:1/shop", "can't connect"),
        ("sqlite:///nowhere/canary-secret", "there is no SQLite file"),
    ],
)
@on_engines("duckdb")
def test_a_connection_that_fails_says_why_without_its_password(
    lab: Lab, mimic: Mimic, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    if url == "MIMIC":
        url = mimic.url.replace("canary-secret", "canary-wrong")
    monkeypatch.setenv("SHOP", url)
    declare(lab)
    source = read_source(lab.sources / "shop.yml")
    with pytest.raises(ReadError) as caught, database.connect(source):
        pass
    assert told in str(caught.value)
    assert "canary" not in str(caught.value) and "\n" not in str(caught.value)

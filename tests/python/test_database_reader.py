"""Databases: cursor and lag, full copies, history, vanished rows; SQLite and Postgres alike."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from adbc_driver_postgresql import dbapi as postgres

import engines
from conftest import Lab
from engines import on_engines
from extract_load.readers import database

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
        columns:
          id: bigint none
          amount: numeric none
          note: string none
          updated_at: timestamp none
"""
CURSOR = "cursor: updated_at\n        lag: 10m"


class Shop(Protocol):
    def run(self, statement: str) -> None: ...


class SQLiteShop:
    def __init__(self, file: Path):
        self.file = file
        self.run(
            "create table orders"
            " (id integer primary key, amount numeric, note text, updated_at text)"
        )

    def run(self, statement: str) -> None:
        with sqlite3.connect(self.file) as connection:
            connection.executescript(statement)


class PostgresShop:
    def __init__(self, url: str):
        self.url = url
        self.run("drop table if exists orders")
        self.run(
            "create table orders (id bigint primary key, amount numeric(12, 2), note text,"
            " updated_at timestamptz)"
        )

    def run(self, statement: str) -> None:
        with postgres.connect(self.url) as connection, connection.cursor() as cursor:
            for one in filter(str.strip, statement.split(";")):
                cursor.execute(one)
            connection.commit()


@pytest.fixture(scope="module")
def postgres_url() -> str:
    return engines.postgres_server()


@pytest.fixture
def shop(request: pytest.FixtureRequest, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Shop:
    if request.param == "sqlite":
        return SQLiteShop(lab.database)
    url = request.getfixturevalue("postgres_url")
    monkeypatch.setenv("SHOP", url)
    return PostgresShop(url)


def declare(lab: Lab, options: str = CURSOR, text: str = SHOP) -> None:
    lab.declare(text.replace("OPTIONS", options))


def insert(shop: Shop, *rows: tuple[Any, ...]) -> None:
    for row in rows:
        values = ", ".join("null" if value is None else repr(value) for value in row)
        shop.run(f"insert into orders values ({values})")


def counts(lab: Lab, **options: Any) -> tuple[int, int, int, int, int]:
    (table,) = lab.load(**options).tables
    assert table.error is None, table.error
    assert lab.ledger_balances() or "history" in (lab.sources / "shop.yml").read_text()
    c = table.counts
    return c.read, c.loaded, c.quarantined, c.suppressed, c.vanished


def live(lab: Lab, columns: str = "id, note") -> list[tuple]:
    return lab.query(
        f"select {columns} from raw_shop.orders where _deleted_at is null order by id, _load_id"
    )


@on_engines("duckdb", "postgres", "bigquery")
def test_values_land_exactly(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(
        shop,
        (1, 12.5, "007", "2026-01-01 00:00:00"),
        (2, None, "한글 😀", "2026-01-01 00:00:00.123456"),
        (3, 1000000, None, "2026-01-01 09:00:00+09:00"),
    )
    assert counts(lab) == (3, 3, 0, 0, 0)
    assert live(lab, "id, amount, note, updated_at") == [
        (1, 12.5, "007", datetime(2026, 1, 1)),
        (2, None, "한글 😀", datetime(2026, 1, 1, 0, 0, 0, 123456)),
        (3, 1000000, None, datetime(2026, 1, 1)),
    ]


def test_a_second_run_reads_only_the_lag_and_changes_nothing(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(shop, (1, 1, "old", "2026-01-01 00:00:00"), (2, 1, "new", "2026-01-02 00:00:00"))
    counts(lab)
    before = lab.query("select * from raw_shop.orders order by id")
    assert counts(lab) == (1, 0, 0, 1, 0)
    assert lab.query("select * from raw_shop.orders order by id") == before


def test_rows_at_the_very_cursor_and_within_the_lag_land(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-02 00:00:00"))
    counts(lab)
    insert(
        shop, (2, 1, "same instant", "2026-01-02 00:00:00"), (3, 1, "late", "2026-01-01 23:51:00")
    )
    assert counts(lab) == (3, 2, 0, 1, 0)
    assert len(live(lab)) == 3


def test_rows_later_than_the_lag_are_counted_reported_and_brought_in(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(
        shop, (1, 1, "a", "2026-01-02 00:00:00"), (2, 1, "900101-1234567", "2026-01-01 00:00:00")
    )
    counts(lab)
    insert(shop, (3, 1, "too late", "2026-01-01 12:00:00"))
    (table,) = lab.load().tables
    assert (table.counts.loaded, table.late) == (0, 1)
    assert lab.query("select message from raw_ledger.runs order by finished_at desc limit 1") == [
        (table.notes[0],)
    ]
    assert "1 row at the source came later than the lag" in table.notes[0]
    assert counts(lab, since=datetime(2026, 1, 1))[1] == 1
    (table,) = lab.load().tables
    assert (table.late, table.notes) == (0, [])


@on_engines("duckdb", "postgres", "bigquery")
def test_a_change_replaces_its_row_and_an_older_version_never_does(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-02 00:00:00"), (2, 1, "b", "2026-01-02 00:00:00"))
    counts(lab)
    shop.run(
        "update orders set note = 'newer', updated_at = '2026-01-03 00:00:00' where id = 1;"
        "update orders set note = 'older', updated_at = '2026-01-01 23:55:00' where id = 2"
    )
    assert counts(lab) == (2, 1, 0, 1, 0)
    assert live(lab) == [(1, "newer"), (2, "b")]


def test_a_row_from_the_future_is_quarantined_and_hides_nothing_after_it(
    lab: Lab, shop: Shop
) -> None:
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"), (2, 1, "future", "2099-01-01 00:00:00"))
    assert counts(lab) == (2, 1, 1, 0, 0)
    insert(shop, (3, 1, "after", "2026-01-02 00:00:00"))
    # the first row within the lag and the known rejected one are read again, and change nothing
    read, loaded, quarantined, suppressed, _ = counts(lab)
    assert (loaded, quarantined, read) == (1, 0, 1 + suppressed)
    assert live(lab) == [(1, "a"), (3, "after")]
    assert lab.query("select reason from raw_ledger.quarantine") == [
        ("updated_at lies in the future",)
    ]
    shop.run("update orders set updated_at = '2026-01-03 00:00:00' where id = 2")
    counts(lab)
    assert len(live(lab)) == 3
    assert lab.query("select count(*) from raw_ledger.quarantine") == [(0,)]


def test_the_cursor_never_moves_beyond_now(lab: Lab, shop: Shop) -> None:
    declare(lab)
    soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=20)
    insert(shop, (1, 1, "clock ahead", soon.isoformat(" ")))
    assert counts(lab) == (1, 1, 0, 0, 0)
    insert(shop, (2, 1, "now", datetime.now(UTC).replace(tzinfo=None).isoformat(" ")))
    counts(lab)
    assert len(live(lab)) == 2


def test_a_row_without_a_cursor_value_is_not_lost(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"))
    counts(lab)
    insert(shop, (2, 1, "no cursor", None))
    counts(lab)
    assert len(live(lab)) == 2


@on_engines("duckdb", "postgres", "bigquery")
def test_a_full_table_marks_what_vanished_and_takes_it_back(lab: Lab, shop: Shop) -> None:
    declare(lab, "mode: full")
    insert(shop, (1, 1, "a", None), (2, 1, "b", None))
    assert counts(lab) == (2, 2, 0, 0, 0)
    shop.run("delete from orders where id = 1")
    assert counts(lab) == (1, 0, 0, 1, 1)
    assert live(lab) == [(2, "b")]
    insert(shop, (1, 1, "back", None))
    assert counts(lab) == (2, 1, 0, 1, 0)
    assert live(lab) == [(1, "back"), (2, "b")]


def test_compared_keys_find_hard_deletes_of_incremental_tables(lab: Lab, shop: Shop) -> None:
    declare(lab, CURSOR + "\n        deletes: compare_keys")
    insert(
        shop,
        *((n, 1, "x", "2026-01-01 00:00:00") for n in (1, 2, 3)),
        (4, 1, "y", "2026-02-01 00:00:00"),
    )
    counts(lab)
    shop.run("delete from orders where id in (1, 3)")
    assert counts(lab)[4] == 2
    assert [row[0] for row in live(lab)] == [2, 4]
    ((_, before),) = lab.query(
        "select count(*), max(_load_id) from raw_shop.orders where _deleted_at is not null"
    )
    assert before == 2, "the mark is a change of its own, so that facts see it"


def test_an_emptied_table_keeps_what_was_loaded_and_says_so(lab: Lab, shop: Shop) -> None:
    declare(lab, "mode: full")
    insert(shop, (1, 1, "a", None))
    counts(lab)
    shop.run("delete from orders")
    (table,) = lab.load().tables
    assert "came back empty" in table.error
    assert live(lab) == [(1, "a")]
    declare(lab, "mode: full\n        empty: allowed")
    assert counts(lab)[4] == 1


@on_engines("duckdb", "postgres", "bigquery")
def test_history_keeps_each_changed_version(lab: Lab, shop: Shop) -> None:
    declare(lab, "mode: full\n        history: true")
    insert(shop, (1, 1, "first", None), (2, 1, "same", None))
    counts(lab)
    shop.run("update orders set note = 'second' where id = 1")
    assert counts(lab) == (2, 1, 0, 1, 0)
    shop.run("update orders set note = 'first' where id = 1")
    assert counts(lab) == (2, 1, 0, 1, 0)
    assert live(lab) == [(1, "first"), (1, "second"), (1, "first"), (2, "same")]
    shop.run("delete from orders where id = 1")
    assert counts(lab)[4] == 1
    assert lab.query(
        "select note, _load_id from raw_shop.orders where _deleted_at is not null"
    ) == [("first", 4)]


def test_a_rejected_row_has_not_vanished(lab: Lab, shop: Shop) -> None:
    declare(lab, "mode: full")
    insert(shop, (1, 1, "a", None), (2, 1, "b", None))
    counts(lab)
    shop.run("update orders set note = '900101-1234567' where id = 1")
    assert counts(lab) == (2, 0, 1, 1, 0)
    assert live(lab) == [(1, "a"), (2, "b")]


def test_a_missing_column_or_table_is_an_error_that_keeps_the_rows(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"))
    counts(lab)
    shop.run("alter table orders rename column note to remark")
    (table,) = lab.load().tables
    assert "lacks declared column note" in table.error
    assert live(lab) == [(1, "a")]
    shop.run("drop table orders")
    assert "is not in the database" in lab.load().tables[0].error


def test_a_window_is_read_again(lab: Lab, shop: Shop) -> None:
    declare(lab)
    insert(shop, *((n, 1, "x", f"2026-01-0{n} 00:00:00") for n in range(1, 6)))
    counts(lab)
    shop.run("update orders set note = 'bulk script left updated_at alone'")
    window = {"since": datetime(2026, 1, 2), "until": datetime(2026, 1, 3)}
    assert counts(lab, **window) == (2, 2, 0, 0, 0)
    cursor = lab.query("select cursor_at from raw_ledger.cursors")
    assert cursor == [(datetime(2026, 1, 5),)], "a backfill doesn't move the cursor back"


@on_engines("duckdb")
def test_an_older_warehouse_reads_again_what_it_lacks(lab: Lab, shop: Shop, tmp_path: Path) -> None:
    import shutil

    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"))
    counts(lab)
    shutil.copy(lab.warehouse, tmp_path / "backup.duckdb")
    insert(shop, (2, 1, "b", "2026-02-01 00:00:00"), (3, 1, "c", "2026-03-01 00:00:00"))
    counts(lab)
    shutil.copy(tmp_path / "backup.duckdb", lab.warehouse)
    counts(lab)
    assert len(live(lab)) == 3


def test_direct_identifiers_never_land(
    lab: Lab, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "01012345678"
    declare(lab, CURSOR, SHOP.replace("note: string none", "note: string pseudonym(phone)"))
    insert(
        shop, (1, 1, "010-1234-5678", "2026-01-01 00:00:00"), (2, 1, secret, "2099-01-01 00:00:00")
    )
    counts(lab)
    ((token, version),) = lab.query("select note, _key_version from raw_shop.orders")
    assert len(token) == 64 and version
    if lab.engine == "duckdb":
        data = lab.warehouse.read_bytes()
        assert secret.encode() not in data and b"010-1234-5678" not in data
    (table,) = lab.load(key=None).tables
    assert "no pseudonym key" in table.error
    from extract_load.loader.pseudonyms import PseudonymKey

    (table,) = lab.load(key=PseudonymKey(b"another key, also 32 bytes long.")).tables
    assert "two keys never mix" in table.error


def test_a_failing_source_does_not_stop_the_others(
    lab: Lab, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"))
    monkeypatch.setenv("GONE", "sqlite:////nowhere/secret-password.sqlite")
    lab.declare(
        SHOP.replace("OPTIONS", CURSOR)
        .replace("source: shop", "source: gone")
        .replace("${SHOP}", "${GONE}"),
        "gone",
    )
    report = lab.load()
    assert [(table.source, bool(table.error)) for table in report.tables] == [
        ("gone", True),
        ("shop", False),
    ]
    assert "secret-password" not in report.failed[0].error
    assert len(live(lab)) == 1


def test_a_password_never_shows_in_an_error(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(lab)
    monkeypatch.setenv("SHOP", "postgresql://loader:canary-secret@127.0.0.1:1/none")
    (table,) = lab.load().tables
    assert "can't connect" in table.error
    assert "canary-secret" not in table.error


# -- odd values ------------------------------------------------------------------------------------


def declare_odd(lab: Lab, columns: dict[str, str], header: str = "{}") -> None:
    listed = ", ".join(f"{name}: {kind} none" for name, kind in columns.items())
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
            header: {header}
            columns: {{id: bigint none, {listed}}}
        """)


def reasons(lab: Lab) -> list[tuple]:
    return lab.query("select row_key, reason from raw_ledger.quarantine order by 1, 2")


@pytest.fixture
def odd(lab: Lab, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> PostgresShop:
    monkeypatch.setenv("SHOP", postgres_url)
    shop = PostgresShop(postgres_url)
    shop.run("drop table orders")
    return shop


def test_odd_types_of_postgres_land_as_their_exact_text(lab: Lab, odd: PostgresShop) -> None:
    values = {
        "wide numeric": ("1e30", "1000000000000000000000000000000"),
        "fine numeric": ("0.12345678901234567890123", "0.12345678901234567890123"),
        "no_number numeric": ("'NaN'", "NaN"),
        "single real": ("0.1", "0.1"),
        "twice double precision": ("0.1 + 0.2::double precision", "0.30000000000000004"),
        "codes text[]": ("'{007,\"a,b\",null}'", '{007,"a,b",NULL}'),
        "doc json": ("'{\"a\": 1.10}'", '{"a": 1.10}'),
        "docb jsonb": ("'{\"a\": 1.10}'", '{"a": 1.10}'),
        "uid uuid": ("'00000000-0000-4000-8000-000000000001'",
                     "00000000-0000-4000-8000-000000000001"),
        "clock time": ("'24:00:00'", "24:00:00"),
        "zoned timetz": ("'09:00+09'", "09:00:00+09"),
        "length interval": ("'1 month -3 days 04:05:06.7'", "P1M-3DT4H5M6.7S"),
        "bytes bytea": ("'\\x00ff'", "\\x00ff"),
        "mood feeling": ("'so so'", "so so"),
        "price money": ("'-1234.50'::numeric::money", "-1234.50"),
        "host inet": ("'10.0.0.1/8'", "10.0.0.1/8"),
        "fixed char(4)": ("'ab'", "ab"),
        "small mail": ("'kim'", "kim"),
        "span tstzrange": ("'[2026-01-01 09:00+09,)'", '["2026-01-01 00:00:00+00",)'),
        '"가격 (원)" bigint': ("7", "7"),
        '"MixedCase" text': ("'x'", "x"),
    }  # fmt: skip
    odd.run("drop type if exists feeling; create type feeling as enum ('good', 'so so')")
    odd.run("drop domain if exists mail; create domain mail as varchar(20)")
    odd.run("set time zone 'Asia/Seoul'")
    odd.run(
        f"create table orders (id bigint primary key, {', '.join(values)},"
        " twofold bigint generated always as (id * 2) stored)"
    )
    odd.run(f"insert into orders values (1, {', '.join(sql for sql, _ in values.values())})")
    columns = dict.fromkeys([name.split()[0] for name in values][:-2], "string")
    columns |= {"price_krw": "string", "mixed": "string", "twofold": "bigint"}
    declare_odd(lab, columns, "{가격 (원): price_krw, MixedCase: mixed}")
    (table,) = lab.load().tables
    assert (table.error, table.undeclared, table.counts.loaded) == (None, set(), 1)
    (row,) = live(lab, ", ".join(columns))
    assert row == (*(landed for _, landed in values.values()), 2)


def test_numbers_of_postgres_are_exact_or_quarantined(lab: Lab, odd: PostgresShop) -> None:
    numbers = ["1e30", "'NaN'", "'Infinity'", "0.1234567891", "12.50", "-0.000000001",
               "12345678901234567890123456789.123456789"]  # fmt: skip
    odd.run("create table orders (id bigint primary key, amount numeric, weight float8)")
    for n, number in enumerate(numbers):
        odd.run(f"insert into orders values ({n}, {number}, null)")
    odd.run("insert into orders values (7, 1, 1e-12), (8, 1, 0.1), (9, 1, 'NaN')")
    declare_odd(lab, {"amount": "numeric", "weight": "numeric"})
    assert counts(lab) == (10, 4, 6, 0, 0)
    assert [(i, str(a), w and str(w)) for i, a, w in live(lab, "id, amount, weight")] == [
        (4, "12.500000000", None), (5, "-1E-9", None),
        (6, "12345678901234567890123456789.123456789", None),
        (8, "1.000000000", "0.100000000"),
    ]  # fmt: skip


def test_dates_that_only_postgres_can_hold_are_quarantined(lab: Lab, odd: PostgresShop) -> None:
    odd.run(
        "create table orders (id bigint primary key, day date, wall timestamp, instant timestamptz)"
    )
    odd.run("insert into orders values (0, '0001-01-01', '9999-12-31 23:59:59.999999', null)")
    for n, (column, value) in enumerate(
        [(c, v) for c in ("day", "wall", "instant") for v in ("infinity", "-infinity")]
        + [("day", "0044-03-15 BC"), ("day", "10000-01-01"), ("wall", "294276-01-01"),
           ("instant", "0044-03-15 BC"), ("instant", "294276-01-01")], 1
    ):  # fmt: skip
        odd.run(f"insert into orders (id, {column}) values ({n}, '{value}')")
    declare_odd(lab, {"day": "date", "wall": "timestamp", "instant": "timestamp"})
    assert counts(lab) == (12, 1, 11, 0, 0)
    assert {reason for _, reason in reasons(lab)} == {
        f"{column} lies outside the years 1 to 9999" for column in ("day", "wall", "instant")
    }
    ((day, wall),) = lab.query(
        "select cast(day as varchar), cast(wall as varchar) from raw_shop.orders"
    )
    assert (day, wall) == ("0001-01-01", "9999-12-31 23:59:59.999999")


@on_engines("duckdb")
def test_a_materialized_view_is_a_table(lab: Lab, odd: PostgresShop) -> None:
    odd.run("create materialized view orders as select 1 as id, 'x' as note")
    declare_odd(lab, {"note": "string"})
    assert counts(lab) == (1, 1, 0, 0, 0)
    odd.run("drop materialized view orders")


@on_engines("duckdb")
def test_odd_values_of_sqlite_land_as_their_exact_text(lab: Lab) -> None:
    values = {
        "'007'": "007",
        "x'00ff'": "\\x00ff",
        "0.1 + 0.2": "0.30000000000000004",
        "0.1": "0.1",
        "12.5": "12.5",
        "9223372036854775807": "9223372036854775807",
        "'한글 😀'": "한글 😀",
        "''": "",
        "null": None,
    }
    shop = SQLiteShop(lab.database)
    shop.run("drop table orders; create table orders (id integer primary key, note)")
    for n, value in enumerate(values):
        shop.run(f"insert into orders values ({n}, {value})")
    shop.run("insert into orders values (90, 'a' || char(0) || 'b'), (91, cast(x'ff41' as text))")
    declare_odd(lab, {"note": "string"})
    assert counts(lab) == (len(values) + 2, len(values), 2, 0, 0)
    assert live(lab) == list(enumerate(values.values()))
    assert reasons(lab) == [("90", "a NUL character"), ("91", "bytes that the encoding lacks")]


@on_engines("duckdb")
@pytest.mark.parametrize("bad", ["'x'", "1.5", "18446744073709551615", "x'31'", "''"])
def test_a_value_of_another_type_than_its_column_is_quarantined(lab: Lab, bad: str) -> None:
    shop = SQLiteShop(lab.database)
    shop.run("drop table orders; create table orders (id integer primary key, amount integer)")
    shop.run(f"insert into orders values (1, {bad}), (2, 2)")
    declare_odd(lab, {"amount": "bigint"})
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert reasons(lab) == [("1", "amount is no bigint")]


# -- rows that hide --------------------------------------------------------------------------------


@on_engines("duckdb")
def test_a_cursor_value_that_is_no_text_is_not_overlooked(lab: Lab) -> None:
    """SQLite sorts every number before every text."""
    shop = SQLiteShop(lab.database)
    declare(lab)
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"))
    counts(lab)
    shop.run("drop table orders; create table orders (id, amount, note, updated_at)")
    insert(shop, (1, 1, "a", "2026-01-01 00:00:00"), (2, 1, "epoch", 1767225600))
    assert counts(lab) == (2, 0, 1, 1, 0)
    assert reasons(lab) == [("2", "updated_at is no timestamp")]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Seoul"])
@on_engines("duckdb")
def test_a_cursor_in_local_time_goes_on_where_it_was(
    lab: Lab, odd: PostgresShop, zone: str
) -> None:
    odd.run("create table orders (id bigint, amount numeric, note text, updated_at timestamp)")
    declare(lab, f"{CURSOR}\n        time_zone: {zone}")
    insert(odd, (1, 1, "a", "2026-01-01 08:00:00"), (2, 1, "b", "2026-01-01 12:00:00"))
    counts(lab)
    insert(odd, (3, 1, "c", "2026-01-01 12:30:00"))
    assert counts(lab) == (2, 1, 0, 1, 0)


def test_rows_of_a_slow_transaction_land_within_the_lag(lab: Lab, odd: PostgresShop) -> None:
    odd.run("create table orders (id bigint, amount numeric, note text, updated_at timestamptz)")
    declare(lab)
    with postgres.connect(odd.url) as slow, slow.cursor() as cursor:
        cursor.execute("insert into orders values (1, 1, 'begun first', '2026-01-01 00:00:00+00')")
        insert(odd, (2, 1, "committed first", "2026-01-01 00:05:00+00"))
        assert counts(lab) == (1, 1, 0, 0, 0)
        slow.commit()
    assert counts(lab) == (2, 1, 0, 1, 0)
    assert live(lab) == [(1, "begun first"), (2, "committed first")]


def test_rows_and_keys_and_count_are_of_one_moment(
    lab: Lab, odd: PostgresShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is committed while the table is read is not taken for one that came late."""
    odd.run("create table orders (id bigint, amount numeric, note text, updated_at timestamptz)")
    declare(lab, f"{CURSOR}\n        deletes: compare_keys")
    insert(odd, (1, 1, "a", "2026-01-01 00:00:00+00"), (2, 1, "b", "2026-01-02 00:00:00+00"))
    read_keys = database.Database.read_keys

    def meanwhile(self: Any, table: Any) -> Any:
        odd.run("insert into orders values (3, 1, 'c', '2026-01-01 12:00:00+00')")
        return read_keys(self, table)

    monkeypatch.setattr(database.Database, "read_keys", meanwhile)
    (table,) = lab.load().tables
    assert (table.error, table.counts.read, table.late) == (None, 2, 0)


def test_a_thousand_rows_of_one_instant_over_the_boundary(lab: Lab, shop: Shop) -> None:
    declare(lab, "cursor: updated_at")
    rows = ", ".join(f"({n}, 1, 'x', '2026-01-02 00:00:00')" for n in range(600))
    shop.run(f"insert into orders values {rows}")
    assert counts(lab) == (600, 600, 0, 0, 0)
    shop.run(
        "insert into orders select id + 600, amount, note, updated_at from orders where id < 400"
    )
    assert counts(lab) == (1000, 400, 0, 600, 0)
    assert len(live(lab)) == 1000


def test_rows_without_a_key_stay_as_many_as_they_are(lab: Lab, odd: PostgresShop) -> None:
    odd.run("create table orders (id bigint, amount numeric, note text, updated_at timestamptz)")
    text = SHOP.replace("key: [id]", "mode: full").replace("        OPTIONS\n", "")
    declare(lab, "", text)
    for _ in range(2):
        insert(odd, (1, 1, "twin", None))
    insert(odd, (2, 1, "b", None))
    assert counts(lab) == (3, 3, 0, 0, 0)
    insert(odd, (1, 1, "twin", None))
    assert counts(lab) == (4, 1, 0, 3, 0)
    odd.run("delete from orders where note = 'twin'")
    insert(odd, (1, 1, "twin", None))
    assert counts(lab) == (2, 0, 0, 2, 2)
    assert live(lab) == [(1, "twin"), (2, "b")]


@on_engines("duckdb")
def test_a_key_in_local_time_does_not_vanish(lab: Lab, odd: PostgresShop) -> None:
    odd.run("create table orders (id timestamp, updated_at timestamptz)")
    odd.run("insert into orders values ('2026-01-01 09:00', '2026-01-01 00:00+00')")
    lab.declare("""\
        source: shop
        description: A shop.
        reader: database
        connection: ${SHOP}
        tables:
          orders:
            description: One row is an order.
            key: [id]
            cursor: updated_at
            deletes: compare_keys
            time_zone: Asia/Seoul
            columns: {id: timestamp none, updated_at: timestamp none}
        """)
    counts(lab)
    assert counts(lab) == (1, 0, 0, 1, 0)

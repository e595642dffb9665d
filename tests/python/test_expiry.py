"""Retention: no row is older than its table's period, none comes back, and all of them add up."""

import sqlite3
import uuid
from datetime import date

import pytest

from conftest import Lab
from engines import on_engines, open_warehouse
from extract_load import DeclarationError, read_sources
from extract_load.loader.expiry import Expiry, children_first

SHOP = """\
    source: shop
    description: A shop.
    reader: database
    connection: ${SHOP}
    defaults: {key: [id], cursor: updated_at, lag: 10m}
    tables:
      orders:
        description: One row is an order.
        keep: {for: 2y, by: ordered_on, because: a law}
        columns:
          id: bigint none
          ordered_on: date quasi
          amount: bigint none
          updated_at: timestamp none
      items:
        description: One row is an item of an order.
        keep: {for: 2y, by: updated_at, of: orders, column: order_id, because: a law}
        columns:
          id: bigint none
          order_id: bigint none
          updated_at: timestamp none
      prices:
        description: One row is a version of a price.
        history: true
        keep: {for: 30d, by: updated_at, because: a policy}
        columns:
          id: bigint none
          price: bigint none
          updated_at: timestamp none
      colours:
        description: One row is a colour.
        columns:
          id: bigint none
          updated_at: timestamp none
    """
DROPS = """\
    source: drops
    description: Events.
    reader: files
    root: ${FILES}
    tables:
      events:
        description: One row is an event.
        path: "*.csv"
        keep: {for: 30d, by: happened_at, because: a policy}
        columns:
          happened_at: timestamp quasi
          amount: bigint none
    """
TODAY = date(2026, 7, 1)


@pytest.fixture
def old_lab(lab: Lab) -> Lab:
    """Orders of 2024 and 2026, an item that was touched after its order was past, old events."""
    lab.declare(SHOP, "shop")
    lab.declare(DROPS, "drops")
    with sqlite3.connect(lab.database) as connection:
        connection.executescript(
            """
            create table orders (id integer primary key, ordered_on, amount, updated_at);
            create table items (id integer primary key, order_id, updated_at);
            create table prices (id integer primary key, price, updated_at);
            create table colours (id integer primary key, updated_at);
            insert into orders values
                (1, '2024-06-28', 5, '2024-06-28 03:00:00'),
                (2, '2024-06-29', 5, '2024-06-29 03:00:00'),
                (3, '2026-06-30', 5, '2026-06-30 03:00:00'),
                (4, '2024-01-01', 'x', '2024-01-01 03:00:00');
            insert into items values (10, 1, '2026-06-01 00:00:00'), (20, 2, '2024-06-29 00:00:00'),
                (30, 3, '2026-06-30 00:00:00');
            insert into prices values (1, 7, '2026-01-01 00:00:00');
            insert into colours values (1, '2020-01-01 00:00:00');
            """
        )
    (lab.files / "1.csv").write_text(
        "happened_at,amount\n2026-05-31T14:59:59Z,1\n2026-05-31T15:00:00Z,2\n2026-06-30T00:00:00Z,3\n"
    )
    assert not lab.load().failed
    with sqlite3.connect(lab.database) as connection:
        connection.execute("update prices set price = 8, updated_at = '2026-06-20 00:00:00'")
    assert not lab.load().failed
    return lab


def expire(lab: Lab, today: date = TODAY, is_trial: bool = False) -> dict[str, Expiry]:
    tables = [
        (source, table)
        for source in read_sources(lab.sources).values()
        for table in source.tables.values()
        if table.keep
    ]
    with open_warehouse(lab.engine, lab.place) as warehouse:
        return {
            table.name: warehouse.expire(source, table, today, uuid.uuid4().hex, is_trial)
            for source, table in children_first(tables)
        }


def left(lab: Lab) -> dict[str, list]:
    found = {}
    for table, column in (
        ("raw_shop.orders", "id"), ("raw_shop.items", "id"), ("raw_shop.prices", "price"),
        ("raw_shop.colours", "id"), ("raw_drops.events", "amount"),
    ):  # fmt: skip
        rows = lab.query(f"select {column} from {table} order by 1")
        found[table.partition(".")[2]] = [value for (value,) in rows]
    return found


KEPT = {"orders": [2, 3], "items": [20, 30], "prices": [8], "colours": [1], "events": [2, 3]}


def test_what_is_past_goes_with_what_belongs_to_it(old_lab: Lab) -> None:
    lab = old_lab
    before = left(lab)
    assert before == {
        "orders": [1, 2, 3], "items": [10, 20, 30], "prices": [7, 8], "colours": [1],
        "events": [1, 2, 3],
    }  # fmt: skip
    trial = expire(lab, is_trial=True)
    assert left(lab) == before
    done = expire(lab)
    assert left(lab) == KEPT
    assert done == trial
    assert {name: (each.dropped, each.kept) for name, each in done.items()} == {
        "orders": (1, 2), "items": (1, 2), "prices": (1, 1), "events": (1, 2),
    }  # fmt: skip
    # two years are never fewer days than two years
    assert done["orders"].cutoff == date(2024, 6, 29) == done["orders"].oldest
    # an instant counts by its Korean day
    assert done["events"].cutoff == date(2026, 6, 1) == done["events"].oldest
    assert lab.ledger_balances()
    assert {name: each.dropped for name, each in expire(lab).items()} == dict.fromkeys(done, 0)


def test_no_load_brings_back_what_was_past(old_lab: Lab) -> None:
    lab = old_lab
    expire(lab)
    with sqlite3.connect(lab.database) as connection:
        connection.execute("update orders set amount = 6, updated_at = '2026-07-01 00:00:00'")
        connection.execute(
            "insert into orders values (5, '2020-01-01', 1, '2026-07-01 00:00:00'),"
            " (6, '2026-07-01', 1, '2026-07-01 00:00:00')"
        )
    (lab.files / "2.csv").write_text(
        "happened_at,amount\n2025-01-01T00:00:00Z,4\n2026-07-01T00:00:00Z,5\n"
    )
    tables = [("shop", name) for name in ("orders", "items", "prices")]
    report = lab.load(replay=[*tables, ("drops", "events")])
    assert not report.failed
    after = left(lab)
    # an item whose order is past comes again when it was touched since; the next expiry's day
    # alone can tell, since its order isn't there
    assert after["orders"] == [2, 3, 6] and after["events"] == [2, 3, 5]
    assert after["prices"] == [8]
    ((read, loaded, quarantined, suppressed),) = lab.query(
        "select sum(read_count), sum(loaded_count), sum(quarantined_count), sum(suppressed_count)"
        " from raw_ledger.loads"
    )
    assert read == loaded + quarantined + suppressed
    assert lab.ledger_balances()


@on_engines("bigquery")
def test_what_is_past_goes_on_bigquery(old_lab: Lab) -> None:
    expire(old_lab)
    assert left(old_lab) == KEPT
    assert not old_lab.load(replay=[("shop", "orders"), ("drops", "events")]).failed
    assert left(old_lab) == KEPT


@on_engines("duckdb")
def test_an_expiry_that_is_killed_drops_a_table_whole_or_not_at_all(old_lab: Lab) -> None:
    lab = old_lab
    before = left(lab)
    (source,) = [each for each in read_sources(lab.sources).values() if each.source == "shop"]
    with open_warehouse(lab.engine, lab.place) as warehouse:
        warehouse.query("create table raw_ledger.stop (cutoff_at timestamp not null)")
        transact = warehouse.transact

        def killed(statements: list[str], question: str) -> list:
            half = [*statements[:-2], "insert into raw_ledger.stop values (null)", *statements[-2:]]
            return transact(half, question)

        warehouse.transact = killed
        with pytest.raises(Exception, match="NOT NULL"):
            warehouse.expire(source, source.tables["orders"], TODAY, "run")
    assert left(lab) == before and lab.ledger_balances()


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("for: 30d, by: updated_at", "for: 30w, by: updated_at", "'30w' is no period"),
        ("by: ordered_on", "by: amount", "keep: amount is neither date nor timestamp"),
        ("of: orders", "of: colours", "keep: colours has no period or no key of one column"),
        ("by: ordered_on", "by: nothing", "nothing is not among the columns that land"),
    ],
)
def test_a_period_that_can_not_be_kept_is_refused_with_its_line(
    lab: Lab, old: str, new: str, says: str
) -> None:
    file = lab.declare(SHOP.replace(old, new), "shop")
    with pytest.raises(DeclarationError, match=rf"{file}:\d+: .*{says}"):
        read_sources(lab.sources)

"""A person who was erased is gone from raw and quarantine, and no later load brings them back."""

import sqlite3
import uuid

import pytest

from conftest import KEY, Lab
from engines import on_engines, open_warehouse
from extract_load import DeclarationError, read_sources

SHOP = """\
    source: shop
    description: A shop.
    reader: database
    connection: ${SHOP}
    defaults: {key: [id], cursor: updated_at, lag: 10m}
    tables:
      # before the orders that own them, so that order in the file doesn't matter
      items:
        description: One row is an item of an order.
        erase_by: [{column: order_id, of: orders}]
        columns:
          id: bigint none
          order_id: bigint none
          price: numeric none
          updated_at: timestamp none
      members:
        description: One row is a member.
        erase_by: id
        columns:
          id: bigint pseudonym
          name: string drop
          guardian_id: bigint pseudonym
          updated_at: timestamp none
      merges:
        description: One row is a merge of two accounts.
        erase_by: [from_id, to_id]
        columns:
          id: bigint none
          from_id: bigint pseudonym
          to_id: bigint pseudonym
          updated_at: timestamp none
      payments:
        description: One row is a payment.
        erase_by: member_id
        on_erasure: unlink
        columns:
          id: bigint none
          member_id: bigint pseudonym
          amount: bigint none
          updated_at: timestamp none
      orders:
        description: One row is an order.
        history: true
        erase_by: member_id
        columns:
          id: bigint none
          member_id: bigint pseudonym
          amount: bigint none
          updated_at: timestamp none
    """
DROPS = """\
    source: drops
    description: Events of orders.
    reader: files
    root: ${FILES}
    tables:
      events:
        description: One row is an event.
        path: "*.csv"
        erase_by: [member_id, {column: entity_id, of: shop.orders, where: {entity: order}}]
        columns:
          entity: string none
          entity_id: bigint none
          member_id: bigint pseudonym
          amount: bigint none
    """
EARLY, LATER = "2026-01-01 00:00:00", "2026-02-01 00:00:00"


@pytest.fixture
def shop_lab(lab: Lab) -> Lab:
    """Members 1, 2 and 3; 3 is the account that 2 had before. Each has an order with an item."""
    lab.declare(SHOP, "shop")
    lab.declare(DROPS, "drops")
    with sqlite3.connect(lab.database) as connection:
        connection.executescript(
            f"""
            create table members (id integer primary key, name, guardian_id, updated_at);
            create table merges (id integer primary key, from_id, to_id, updated_at);
            create table orders (id integer primary key, member_id, amount, updated_at);
            create table items (id integer primary key, order_id, price, updated_at);
            create table payments (id integer primary key, member_id, amount, updated_at);
            insert into payments values
                (1, 1, 100, '{EARLY}'), (2, 2, 200, '{EARLY}'), (3, 2, 'x', '{EARLY}');
            insert into members values
                (1, 'a', 2, '{EARLY}'), (2, 'b', null, '{EARLY}'), (3, 'c', null, '{EARLY}');
            insert into merges values (1, 3, 2, '{EARLY}');
            insert into orders values (10, 1, 5, '{EARLY}'), (20, 2, 5, '{EARLY}'),
                (30, 3, 5, '{EARLY}'), (21, 2, 'x', '{EARLY}');
            insert into items values (100, 10, 5, '{EARLY}'), (200, 20, 5, '{EARLY}'),
                (300, 30, 5, '{EARLY}'), (201, 20, 'x', '{EARLY}');
            """
        )
    (lab.files / "1.csv").write_text(
        "entity,entity_id,member_id,amount\n"
        "order,10,,1\norder,20,,1\nlead,20,,1\nlead,30,2,1\nlead,31,2,x\nlead,32,1,x\n"
    )
    assert not lab.load().failed
    return lab


def erase(lab: Lab, *members: int) -> int:
    sources = list(read_sources(lab.sources).values())
    with open_warehouse(lab.engine, lab.place) as warehouse:
        tokens = [KEY.token(str(member)) for member in members]
        return warehouse.erase(tokens, sources, uuid.uuid4().hex)


def left(lab: Lab) -> dict[str, list]:
    tables = {
        "members": ("raw_shop.members", "1"),
        "orders": ("raw_shop.orders", "id"),
        "items": ("raw_shop.items", "id"),
        "events": ("raw_drops.events", "entity || entity_id"),
    }
    found = {
        name: [row[0] for row in lab.query(f"select {column} from {table} order by 1")]
        for name, (table, column) in tables.items()
    }
    found["quarantine"] = [
        row[0] for row in lab.query("select count(*) from raw_ledger.quarantine")
    ]
    return found


def tokens_anywhere(lab: Lab, member: int) -> list[str]:
    """Columns of raw, and quarantine, in which the member's pseudonym stands."""
    token = KEY.token(str(member))
    places = {
        "raw_shop.members": "concat(id, guardian_id)", "raw_shop.orders": "member_id",
        "raw_shop.merges": "from_id || to_id",
        "raw_drops.events": "member_id", "raw_ledger.quarantine": "masked_row",
        "raw_shop.payments": "member_id",
    }  # fmt: skip
    return [
        table
        for table, column in places.items()
        if lab.query(f"select 1 from {table} where {column} like '%{token}%'")
    ]


def test_a_person_goes_with_all_their_accounts_and_whatever_their_rows_own(shop_lab: Lab) -> None:
    lab = shop_lab
    assert left(lab) == {
        "members": [1, 1, 1], "orders": [10, 20, 30], "items": [100, 200, 300],
        "events": ["lead20", "lead30", "order10", "order20"], "quarantine": [5],
    }  # fmt: skip
    rows = erase(lab, 2)
    assert rows == 2 + 1 + 2 + 2 + 2
    assert left(lab) == {
        # lead 20 is no order: the same number, another thing
        "members": [1], "orders": [10], "items": [100], "events": ["lead20", "order10"],
        "quarantine": [2],
    }  # fmt: skip
    assert tokens_anywhere(lab, 2) == tokens_anywhere(lab, 3) == []
    assert lab.ledger_balances()


def test_no_load_brings_an_erased_person_back(shop_lab: Lab) -> None:
    lab = shop_lab
    erase(lab, 2)
    before = left(lab)
    with sqlite3.connect(lab.database) as connection:
        connection.execute(f"update orders set amount = 6, updated_at = '{LATER}'")
        # a new order of theirs, its item is read before it
        connection.execute(f"insert into orders values (22, 2, 1, '{LATER}')")
        connection.execute(f"insert into items values (220, 22, 1, '{LATER}')")
        connection.execute(f"insert into orders values (23, 2, 'y', '{LATER}')")
    (lab.files / "2.csv").write_text(
        "entity,entity_id,member_id,amount\norder,22,,1\nlead,2,2,1\nlead,3,2,x\nlead,9,1,1\n"
    )
    tables = [("shop", name) for name in ("members", "merges", "orders", "items")]
    report = lab.load(replay=[*tables, ("drops", "events")])
    assert not report.failed
    assert all(table.late == 0 for table in report.tables)
    after = left(lab)
    assert after == before | {"orders": [10, 10], "events": ["lead20", "lead9", "order10"]}
    assert tokens_anywhere(lab, 2) == tokens_anywhere(lab, 3) == []
    ((read, loaded, quarantined, suppressed),) = lab.query(
        "select sum(read_count), sum(loaded_count), sum(quarantined_count), sum(suppressed_count)"
        " from raw_ledger.loads"
    )
    assert read == loaded + quarantined + suppressed
    assert lab.ledger_balances()


@on_engines("duckdb", "postgres", "bigquery")
def test_what_a_law_keeps_stays_without_the_person(shop_lab: Lab) -> None:
    lab = shop_lab
    key = {member: KEY.token(str(member)) for member in (1, 2)}
    payments = "select id, member_id, amount from raw_shop.payments order by id"
    assert lab.query(payments) == [(1, key[1], 100), (2, key[2], 200)]
    erase(lab, 2)
    assert lab.query(payments) == [(1, key[1], 100), (2, None, 200)]
    with sqlite3.connect(lab.database) as connection:
        connection.execute(f"insert into payments values (4, 2, 400, '{LATER}')")
        connection.execute(f"insert into payments values (5, 2, 'y', '{LATER}')")
    assert not lab.load(replay=[("shop", "payments")]).failed
    assert lab.query(payments) == [(1, key[1], 100), (2, None, 200), (4, None, 400)]
    # rejected rows stay as well
    rejected = "select count(*) from raw_ledger.quarantine where table_name = 'payments'"
    assert lab.query(rejected) == [(2,)]
    assert tokens_anywhere(lab, 2) == []
    assert lab.ledger_balances()


def test_erasing_twice_is_erasing_once(shop_lab: Lab) -> None:
    assert erase(shop_lab, 2) > 0
    before = left(shop_lab)
    assert erase(shop_lab, 2) == 0
    assert left(shop_lab) == before


@on_engines("bigquery")
def test_a_person_goes_on_bigquery(shop_lab: Lab) -> None:
    erase(shop_lab, 2)
    assert not shop_lab.load(replay=[("shop", "orders"), ("drops", "events")]).failed
    assert left(shop_lab) == {
        "members": [1], "orders": [10], "items": [100], "events": ["lead20", "order10"],
        "quarantine": [2],
    }  # fmt: skip


@on_engines("duckdb")
def test_an_owner_that_does_not_exist_is_refused_with_its_line(lab: Lab) -> None:
    file = lab.declare(SHOP.replace("of: orders", "of: order"), "shop")
    with pytest.raises(DeclarationError, match=rf"{file}:\d+: .*order has no key and erase_by"):
        read_sources(lab.sources)

"""Whatever is written at a source, in whatever order it is loaded: raw has what the source has."""

import itertools
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from extract_load import load, read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse

SHOP = """\
source: shop
description: A shop.
reader: database
connection: ${SHOP}
tables:
  orders:
    description: One row is an order.
    key: [id]
    cursor: updated_at
    lag: 10m
    deletes: compare_keys
    columns: {id: bigint none, amount: bigint none, updated_at: timestamp none}
"""
START = datetime(2026, 1, 1)
LAG = timedelta(minutes=10)
examples = itertools.count()

# seconds that pass first; then a write whose instant lies up to a lag back, a delete, or a load
ids = st.integers(1, 6)
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 240, 3600]),
        st.one_of(
            st.tuples(st.just("write"), ids, st.sampled_from([0, 0, 1, 300, 599, 600])),
            st.tuples(st.just("delete"), ids, st.just(0)),
            st.tuples(st.just("load"), st.just(0), st.just(0)),
        ),
    ),
    min_size=15,
    max_size=30,
)


@settings(
    max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps)
def test_what_is_written_within_the_lag_is_in_raw_after_the_next_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list
) -> None:
    folder = tmp_path / str(next(examples))
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "shop.yml").write_text(SHOP)
    monkeypatch.setenv("SHOP", f"sqlite:///{folder}/shop.sqlite")
    declared = read_sources(folder / "sources").values()
    clock, written = START + 2 * LAG, dict.fromkeys(range(7), START)
    with (
        sqlite3.connect(folder / "shop.sqlite", isolation_level=None) as shop,
        DuckDBWarehouse(folder / "warehouse.duckdb") as warehouse,
    ):
        shop.execute("create table orders (id integer primary key, amount, updated_at)")
        # a table that is empty after it had rows is refused, so one row stays
        shop.execute("insert into orders values (0, 0, ?)", [START.isoformat(" ")])

        def load_all() -> None:
            report = load(declared, warehouse, folder / "landing", None)
            assert [(table.error, table.late) for table in report.tables] == [(None, 0)]
            there = shop.execute("select id, amount from orders order by id").fetchall()
            live = "select id, amount from raw_shop.orders where _deleted_at is null order by id"
            assert warehouse.query(live) == there

        for amount, (seconds, (what, order, back)) in enumerate(steps):
            clock += timedelta(seconds=seconds)
            if what == "load":
                load_all()
            elif what == "delete":
                shop.execute("delete from orders where id = ?", [order])
            else:
                # as a row's clock goes: never before its last change
                at = written[order] = max(written[order], clock - timedelta(seconds=back))
                row = [order, amount, at.isoformat(" ")]
                shop.execute("insert or replace into orders values (?, ?, ?)", row)
        load_all()
        load_all()
        newest = max(
            datetime.fromisoformat(at) for (at,) in shop.execute("select updated_at from orders")
        )
        ((cursor,),) = warehouse.query("select cursor_at from raw_ledger.cursors")
        assert newest <= cursor <= max(written.values())

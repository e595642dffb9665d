"""Who does the measured work. Each takes rows from `place` into a fresh DuckDB file in `folder` and
returns how many there are then; each runs in a process of its own."""

import os
from collections.abc import Mapping
from pathlib import Path

import duckdb

from benchmarks import events, orders
from benchmarks.contest import needs

TYPES = {
    name: {"string": "varchar", "timestamp": "timestamptz"}.get(kind.split()[0], kind.split()[0])
    for name, kind in events.COLUMNS.items()
}
_EVENTS = """\
source: bench
description: Made-up events.
reader: files
root: ${BENCH_PLACE}
tables:
  events:
    description: One row is an event.
    path: "*"
    future: received_at
    partition: occurred_at
    columns:
"""
_ORDERS = """\
source: bench
description: A made-up shop.
reader: database
connection: ${BENCH_PLACE}
tables:
  orders:
    description: One row is an order.
    key: [id]
    cursor: updated_at
    columns:
"""


@needs("extract_load")
def goodoc_events(place: str, folder: Path) -> int:
    """Our loader: identifiers replaced, resident numbers looked for, counted, in the ledger."""
    return _goodoc(_EVENTS, events.COLUMNS, place, folder)


@needs("extract_load", "adbc_driver_postgresql.dbapi")
def goodoc_orders(place: str, folder: Path) -> int:
    return _goodoc(_ORDERS, orders.COLUMNS, place, folder)


def parquet_floor(place: str, folder: Path) -> int:
    """What DuckDB alone needs to copy the rows, nothing looked at."""
    return _inserted(folder, f"select * from read_parquet('{place}/*')")


def json_floor(place: str, folder: Path) -> int:
    return _inserted(
        folder, f"select * from read_json('{place}/*', format='newline_delimited', columns={TYPES})"
    )


@needs("pyarrow", "adbc_driver_postgresql.dbapi")
def adbc_floor(place: str, folder: Path) -> int:
    """The driver's stream straight into a table."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(place) as connection, connection.cursor() as cursor:
        cursor.execute("select * from orders")
        stream = cursor.fetch_record_batch()
        return _inserted(folder, "select * from stream", stream=stream)


@needs("dlt.sources.sql_database", "dlt.destinations", "psycopg2")
def dlt_pyarrow(place: str, folder: Path) -> int:
    return _dlt(place, folder, "pyarrow")


@needs("dlt.sources.sql_database", "dlt.destinations", "connectorx")
def dlt_connectorx(place: str, folder: Path) -> int:
    return _dlt(place, folder, "connectorx")


def _goodoc(head: str, columns: Mapping[str, str], place: str, folder: Path) -> int:
    from extract_load import load, read_sources
    from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
    from extract_load.loader.pseudonyms import PseudonymKey

    os.environ["BENCH_PLACE"] = place
    sources = folder / "sources"
    sources.mkdir()
    lines = (f"      {name}: {kind}\n" for name, kind in columns.items())
    (sources / "bench.yml").write_text(head + "".join(lines))
    key = PseudonymKey(b"a key for benchmarks, 32 bytes..")
    with DuckDBWarehouse(folder / "warehouse.duckdb") as warehouse:
        declared = read_sources(sources)
        report = load(declared.values(), warehouse, folder / "landing", key)
        (table,) = report.tables
        if table.error:
            raise RuntimeError(table.error)
        # what was rejected was worked on too
        return table.counts.loaded + table.counts.quarantined


def _inserted(folder: Path, query: str, **relations: object) -> int:
    with duckdb.connect(str(folder / "floor.duckdb")) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute("set preserve_insertion_order = false")
        for name, relation in relations.items():
            connection.register(name, relation)
        described = connection.execute(f"describe {query}").fetchall()
        columns = ", ".join(f'"{name}" {kind}' for name, kind, *_ in described)
        connection.execute(f"create table copied ({columns})")
        ((rows,),) = connection.execute(f"insert into copied {query}").fetchall()
    return rows


def _dlt(place: str, folder: Path, backend: str) -> int:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    os.environ["DLT_DATA_DIR"] = str(folder)
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="bench",
    )
    url = place.replace("postgresql://", "postgresql+psycopg2://")
    settings = {"conn": orders.with_host(place)} if backend == "connectorx" else {}
    rows = sql_table(url, "orders", backend=backend, chunk_size=100_000, backend_kwargs=settings)
    pipeline.run(rows)
    with duckdb.connect(str(folder / "dlt.duckdb")) as connection:
        ((count,),) = connection.execute("select count(*) from bench.orders").fetchall()
    return count

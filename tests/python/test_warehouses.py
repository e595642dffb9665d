"""What each engine must add to a load: keys as text, days, layout, grants, all or nothing."""

import sqlite3
import uuid
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

import engines
from conftest import Lab
from engines import on_engines
from extract_load.declaration import read_source
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
from extract_load.loader.move import Move
from extract_load.loader.postgres_warehouse import PostgresWarehouse
from extract_load.loader.warehouse import WarehouseError

ALL = ("duckdb", "postgres", "bigquery")
BEATS = """\
    source: devices
    description: Devices.
    reader: files
    root: ${FILES}
    tables:
      beats:
        description: One row is a heartbeat.
        path: "*.csv"
        partition: sent_at
        columns: {device: string pseudonym, note: string sensitive, sent_at: timestamp none}
"""


def beats(lab: Lab, *rows: str, name: str = "a.csv") -> None:
    (lab.files / name).write_text("device,note,sent_at\n" + "".join(f"{row}\n" for row in rows))
    (table,) = lab.load().tables
    assert table.error is None, table.error


@on_engines(*ALL)
def test_the_ledger_names_the_korean_days_that_a_load_touched(lab: Lab) -> None:
    lab.declare(BEATS, "devices")
    evening, night, later = "2026-06-01 14:59:59", "2026-06-01 15:00:00", "2026-06-05 00:00:00"
    beats(lab, f"1,a,{evening}", f"2,b,{night}", f"3,c,{night}", "4,no instant,", f"5,d,{later}")
    beats(lab, f"1,a,{evening}", f"2,b,{later}", "3,c,2026-06-09 00:00:00")
    found = lab.query("select load_id, day, row_count from raw_ledger.days order by 1, 2")
    assert found == [
        (1, date(2026, 6, 1), 1),
        (1, date(2026, 6, 2), 2),
        (1, date(2026, 6, 5), 1),
        (2, date(2026, 6, 2), 2),  # the replaced ones
        (2, date(2026, 6, 5), 2),  # one brought, one vanished with the file's end
        (2, date(2026, 6, 9), 1),
    ]


KEYS = """\
    source: shop
    description: A shop.
    reader: database
    connection: ${SHOP}
    tables:
      visits:
        description: One row is a visit.
        key: [price, at, day, flag, code]
        cursor: seen_at
        deletes: compare_keys
        columns:
          price: numeric none
          at: timestamp none
          day: date none
          flag: boolean none
          code: string none
          note: string none
          seen_at: timestamp none
"""


@on_engines(*ALL)
def test_keys_of_every_type_are_the_same_on_their_way(lab: Lab) -> None:
    """A rejected version of a loaded row is neither gone nor counted a second time."""
    lab.declare(KEYS)
    with sqlite3.connect(lab.database) as shop:
        shop.execute("create table visits (price, at, day, flag, code, note, seen_at)")
        for price, at in (("12.5", "2026-01-01 09:00:00.5"), ("7", "2026-01-01 09:00:00")):
            visit = (price, at, "2026-01-01", "true", "it's|가", "x", "2026-01-02 00:00:00")
            shop.execute("insert into visits values (?, ?, ?, ?, ?, ?, ?)", visit)
    assert lab.load().tables[0].counts.loaded == 2
    with sqlite3.connect(lab.database) as shop:
        shop.execute("update visits set note = '900101-1234567'")
        # seen later than its lag: the one row that the counts at the source have more than raw
        shop.execute(
            "insert into visits values ('1', '2026-01-01 00:00:00', '2026-01-01', 'false', 'late',"
            " 'x', '2026-01-01 00:00:00')"
        )
    (table,) = lab.load().tables
    assert table.error is None, table.error
    counts = table.counts
    assert (counts.read, counts.quarantined, counts.vanished) == (2, 2, 0)
    assert lab.query("select count(*) from raw_shop.visits where _deleted_at is null") == [(2,)]
    assert table.late == 1


@on_engines(*ALL)
def test_a_fault_in_the_middle_leaves_nothing_behind(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.declare(BEATS, "devices")
    day = "2026-06-01 00:00:00"
    beats(lab, f"1,a,{day}", f"2,b,{day}", f"3,bad,{day},more")
    whole = Move.statements

    def faulty(move: Move) -> list[str]:
        return [*whole(move), "insert into raw_ledger.nowhere (load_id) values (1)"]

    before = everything(lab)
    (lab.files / "a.csv").write_text(f"device,note,sent_at\n1,new,{day}\n2,b,{day},more\n")
    with monkeypatch.context() as patched:
        patched.setattr(Move, "statements", faulty)
        (table,) = lab.load().tables
    assert table.error
    assert everything(lab) == before
    (table,) = lab.load().tables
    assert (table.counts.loaded, table.counts.quarantined, table.counts.vanished) == (1, 1, 1)
    assert lab.ledger_balances()


def everything(lab: Lab) -> list[list[tuple]]:
    tables = ("raw_devices.beats", "raw_ledger.quarantine", "raw_ledger.files", "raw_ledger.days")
    names = (*tables, "raw_ledger.loads", "raw_ledger.moves")
    return [sorted(lab.query(f"select * from {name}"), key=repr) for name in names]


@on_engines("postgres", "bigquery")
def test_of_two_loads_at_once_one_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.declare(BEATS, "devices")
    beats(lab, "1,a,2026-06-01 00:00:00")
    # as another machine would, which our lock doesn't reach
    monkeypatch.setattr(Move, "question", "select 1, true, false, cast(null as timestamp)")
    (lab.files / "b.csv").write_text("device,note,sent_at\n2,b,2026-06-01 00:00:00\n")
    (table,) = lab.load().tables
    said = "another load ran" if lab.engine == "bigquery" else "duplicate key"
    assert said in table.error
    assert lab.query("select count(*) from raw_devices.beats") == [(1,)]


@on_engines("postgres", "bigquery")
def test_a_column_declared_later_is_added(lab: Lab) -> None:
    lab.declare(BEATS.replace("note: string sensitive, ", ""), "devices")
    lab.load()
    lab.declare(BEATS, "devices")
    beats(lab, "1,a,2026-06-01 00:00:00")
    assert lab.query("select note from raw_devices.beats") == [("a",)]


@on_engines("postgres")
def test_postgres_indexes_raw(lab: Lab) -> None:
    lab.declare(BEATS, "devices")
    lab.load()
    indexes = lab.query("select indexdef from pg_indexes where tablename = 'beats'")
    assert sorted(index.split(" USING ")[1] for (index,) in indexes) == [
        "brin (sent_at)",
        "btree (_file, _line)",
        "btree (_load_id)",
    ]


@on_engines("postgres")
def test_postgres_writes_as_the_loader_and_lets_the_models_read(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = f"loader_{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(engines, "POSTGRES_ROLE", loader)
    database = urlsplit(lab.place).path.lstrip("/")
    engines.run_on_postgres(
        lab.place,
        f"create role {loader}",
        f"grant create on database {database} to {loader}",
        "do $$ begin create role goodoc_transformer; exception when duplicate_object then end $$",
    )
    try:
        lab.declare(BEATS, "devices")
        beats(lab, "1,a,2026-06-01 00:00:00")
        owners = "select distinct tableowner from pg_tables where schemaname like 'raw%'"
        assert lab.query(owners) == [(loader,)]
        lab.query("reset role")
        lab.query("set role goodoc_transformer")
        assert lab.query("select count(*) from raw_devices.beats, raw_ledger.loads") == [(1,)]
        for refused in ("delete from raw_devices.beats", "create table raw_ledger.mine (a bigint)"):
            with pytest.raises(WarehouseError, match="permission denied"):
                lab.query(refused)
    finally:
        lab.close()
        engines.run_on_postgres(engines.postgres_server(), f"drop role {loader}")


def test_postgres_without_the_loader_is_not_prepared() -> None:
    with pytest.raises(WarehouseError, match="no role nobody: `goodoc setup` makes it"):
        PostgresWarehouse(engines.postgres_server(), "nobody")


@on_engines("bigquery")
def test_bigquery_partitions_clusters_labels_and_tags_raw(lab: Lab) -> None:
    lab.declare(BEATS.replace("note: string sensitive, ", ""), "devices")
    lab.load()
    lab.declare(BEATS.replace("note: string sensitive", "note: string pseudonym"), "devices")
    beats(lab, "1,a,2026-06-01 00:00:00")
    client = lab.reader.client
    table = client.get_table("raw_devices.beats")
    assert (table.time_partitioning.type_, table.time_partitioning.field) == ("DAY", "sent_at")
    assert table.clustering_fields == ["_file", "_line"]
    assert table.labels == {"layer": "raw", "source": "devices"}
    tags = {field.name: field.policy_tags.names for field in table.schema if field.policy_tags}
    assert tags == dict.fromkeys(("device", "note"), (engines.POLICY_TAGS["pseudonym"],))
    landing = client.get_dataset("raw_landing")
    assert landing.default_table_expiration_ms == 24 * 60 * 60 * 1000
    assert list(client.list_tables(landing)) == [], "staged tables are dropped"


def test_a_warehouse_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("postgresql://u:canary@127.0.0.1:1/db", "postgresql://u:canary@nowhere@x/db", "?"):
        with pytest.raises(WarehouseError, match=r"can't connect to Postgres.*GOODOC_PG_URL") as e:
            PostgresWarehouse(url)
        assert "canary" not in str(e.value) and "\n" not in str(e.value)
    from extract_load.loader.bigquery_warehouse import connect

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(WarehouseError, match="set GOOGLE_APPLICATION_CREDENTIALS"):
        connect("p", "asia-northeast3")
    with pytest.raises(WarehouseError, match="can't open the warehouse"):
        DuckDBWarehouse(tmp_path / "none.duckdb", read_only=True)


@on_engines("postgres", "bigquery")
def test_an_error_of_the_engine_shows_no_value(lab: Lab) -> None:
    kind = "int64" if lab.engine == "bigquery" else "bigint"
    for query, parameters in (
        (f"select cast(concat('canary', '') as {kind})", []),
        (f"select cast(? as {kind}) + 1 from (select 1) as t", ["canary"]),
        ("insert into raw_ledger.moves values (1, 1, 'a', 'b', 'canary', null)", []),
    ):
        with pytest.raises(WarehouseError) as caught:
            lab.reader.query(query, parameters)
        assert "canary" not in str(caught.value) and "\n" not in str(caught.value)


@on_engines("postgres")
def test_postgres_takes_rows_in_batches(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However big the slice, only a batch of it is in memory."""
    seen: list[int] = []
    whole = pq.ParquetFile.iter_batches

    def counted(file: pq.ParquetFile, batch_size: int):
        for batch in whole(file, batch_size=batch_size):
            seen.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    lab.declare(BEATS, "devices")
    beats(lab, *(f"{n},a,2026-06-01 00:00:00" for n in range(40_000)))
    assert sum(seen) == 40_000 and max(seen) < 20_000


@pytest.mark.parametrize("column", ["amount", "gone", "secret", "nothing"])
def test_a_table_is_partitioned_by_an_instant_that_lands(tmp_path: Path, column: str) -> None:
    file = tmp_path / "shop.yml"
    file.write_text(
        "source: shop\ndescription: A shop.\nreader: files\nroot: ${FILES}\ntables:\n  rows:\n"
        f'    description: A row.\n    path: "*.csv"\n    partition: {column}\n'
        "    columns: {amount: bigint none, gone: timestamp drop, secret: timestamp pseudonym}\n"
    )
    with pytest.raises(Exception, match=f"shop.yml:.*partition: {column} is no timestamp"):
        read_source(file)

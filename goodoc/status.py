"""What is in the warehouse, and whether every row that was read is accounted for."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import duckdb

from extract_load import Source
from extract_load.declaration import Table
from goodoc.settings import Settings


@dataclass(frozen=True)
class TableStatus:
    """One raw table. Counts are rows; `unaccounted` is None before the first build."""

    source: str
    table: str
    last_load: datetime | None
    hours_since_load: float | None
    outcome: str | None
    message: str | None
    read: int
    loaded: int
    quarantined: int
    suppressed: int
    live: int
    in_staging: int | None
    in_marts: int | None
    unaccounted: int | None

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; instants in ISO 8601, UTC."""
        values = asdict(self)
        values["last_load"] = self.last_load and self.last_load.isoformat() + "Z"
        return values


def status(settings: Settings, sources: dict[str, Source]) -> list[TableStatus]:
    """One entry per declared table. An empty list where there is no warehouse yet."""
    if not settings.warehouse.is_file():
        return []
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        ledger = _by_table(
            connection,
            """
            select source, table_name, max(extracted_at), sum(read_count), sum(loaded_count),
                sum(quarantined_count), sum(suppressed_count)
            from raw_ledger.loads group by all
            """,
        )
        runs = _by_table(
            connection,
            """
            select source, table_name, arg_max(outcome, finished_at), arg_max(message, finished_at)
            from raw_ledger.runs group by all
            """,
        )
        balance = _balance(connection)
        found = []
        for source in sources.values():
            for table in source.tables.values():
                key = (source.source, table.name)
                last, *counts = ledger.get(key, (None, 0, 0, 0, 0))
                outcome, message = runs.get(key, (None, None))
                hours = (
                    (datetime.now(UTC).replace(tzinfo=None) - last).total_seconds() / 3600
                    if last
                    else None
                )
                live = _live(connection, source, table)
                staging, marts, unaccounted = balance.get(key, (None, None, None))
                found.append(
                    TableStatus(
                        source.source,
                        table.name,
                        last,
                        hours,
                        outcome,
                        message or None,
                        *(int(count) for count in counts),
                        live,
                        staging,
                        marts,
                        unaccounted,
                    )
                )
    return found


def unaccounted_rows(settings: Settings) -> int | None:
    """Rows that no rule explains, over all tables; None before the first build."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        balance = _balance(connection)
    return sum(values[2] for values in balance.values()) if balance else None


def _by_table(connection: duckdb.DuckDBPyConnection, query: str) -> dict[tuple[str, str], tuple]:
    return {(row[0], row[1]): row[2:] for row in connection.execute(query).fetchall()}


def _balance(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], tuple]:
    try:
        return _by_table(
            connection,
            """
            select source, table_name, cast(sum(staging_count) as bigint),
                cast(sum(mart_count) as bigint), cast(sum(abs(unaccounted_count)) as bigint)
            from core.fct_row_balance group by all
            """,
        )
    except duckdb.CatalogException:
        return {}


def _live(connection: duckdb.DuckDBPyConnection, source: Source, table: Table) -> int:
    """Rows as the source has them now: without vanished ones, of a history the newest version."""
    raw = f'{source.schema_name}."{table.name}"'
    query = f"select count(*) from {raw} where _deleted_at is null"
    if table.history:
        key = ", ".join(f'"{name}"' for name in table.key)
        query = f"""
            select count(*) from (
                select arg_max(_deleted_at is null, _load_id) as is_there from {raw} group by {key}
            ) where is_there"""
    try:
        ((count,),) = connection.execute(query).fetchall()
    except duckdb.CatalogException:
        return 0
    return count

"""What is in the warehouse, and whether every row that was read is accounted for."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from extract_load import Source
from extract_load.declaration import Table
from extract_load.loader.warehouse import Warehouse
from goodoc.settings import Settings


@dataclass(frozen=True)
class TableStatus:
    """One raw table. Counts are rows; `unaccounted` is None before the first build; stale is what
    was last loaded longer ago than its declaration says (`fresh_within`).
    """

    source: str
    table: str
    last_load: datetime | None
    hours_since_load: float | None
    is_stale: bool
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
    """One entry per declared table."""
    with settings.open_warehouse(read_only=True) as warehouse:
        ledger = _by_table(
            warehouse,
            """
            select source, table_name, max(extracted_at), sum(read_count), sum(loaded_count),
                sum(quarantined_count), sum(suppressed_count)
            from raw_ledger.loads where checksum <> 'erased' group by source, table_name
            """,
        )
        runs = _by_table(
            warehouse,
            """
            select source, table_name, outcome, message
            from (
                select source, table_name, outcome, message, row_number() over (
                    partition by source, table_name order by finished_at desc) as nth
                from raw_ledger.runs
            ) as runs
            where nth = 1
            """,
        )
        balance = _balance(warehouse)
        prepared = warehouse.relations()
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
                is_there = (source.schema_name, table.name) in prepared
                staging, marts, unaccounted = balance.get(key, (None, None, None))
                found.append(
                    TableStatus(
                        source.source,
                        table.name,
                        last,
                        hours,
                        _is_stale(source, table, hours),
                        outcome,
                        message or None,
                        *(int(count) for count in counts),
                        warehouse.row_count(source, table) if is_there else 0,
                        staging,
                        marts,
                        unaccounted,
                    )
                )
    return found


def _is_stale(source: Source, table: Table, hours: float | None) -> bool:
    """Whether the last load is older than the table's declaration allows."""
    if table.fresh_within is None or (source.is_left_out and hours is None):
        return False
    return hours is None or hours * 3600 > table.fresh_within.total_seconds()


def unaccounted_rows(settings: Settings) -> int | None:
    """Rows that no rule explains, over all tables; None before the first build."""
    with settings.open_warehouse(read_only=True) as warehouse:
        balance = _balance(warehouse)
    return sum(values[2] for values in balance.values()) if balance else None


def _by_table(warehouse: Warehouse, query: str) -> dict[tuple[str, str], tuple]:
    return {(row[0], row[1]): row[2:] for row in warehouse.query(query)}


def _balance(warehouse: Warehouse) -> dict[tuple[str, str], tuple]:
    if ("core", "fct_row_balance") not in warehouse.relations():
        return {}
    balance = _by_table(
        warehouse,
        """
        select source, table_name, sum(staging_count), sum(mart_count), sum(abs(unaccounted_count))
        from core.fct_row_balance group by source, table_name
        """,
    )
    return {
        key: tuple(None if count is None else int(count) for count in counts)
        for key, counts in balance.items()
    }

"""Retention: rows past the period of their table leave raw, and no later load brings them back.

Before when they are past is kept in `raw_ledger.expiries`; a load suppresses what is older.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from extract_load.declaration import Source, Table
from extract_load.loader.dialect import Dialect, instant
from extract_load.loader.relations import raw_relation

# stands in the ledger of loads where the checksum of a slice would
EXPIRED = "expired"
_KOREA = timedelta(hours=9)


@dataclass(frozen=True)
class Expiry:
    """What a table drops: rows from before `cutoff`, a Korean day; `kept` stay, the oldest of them
    on day `oldest`."""

    source: str
    table: str
    period_days: int
    because: str
    cutoff: date
    dropped: int
    kept: int
    oldest: date | None


def cutoff_of(table: Table, today: date) -> date:
    """The first Korean day whose rows are still kept. The table has a period."""
    return today - timedelta(days=table.keep.days)


def past(dialect: Dialect, table: Table, cutoff_at: datetime, row: str) -> str:
    """SQL condition: relation `row` holds a row from before the cutoff, an instant in UTC."""
    column = f"{row}.{dialect.quote(table.keep.by)}"
    kind = next(column.type for column in table.columns if column.name == table.keep.by)
    if kind == "date":
        return f"{column} < cast('{(cutoff_at + _KOREA).date()}' as date)"
    return f"{column} < {instant(cutoff_at)}"


def midnight(day: date) -> datetime:
    """When a Korean day begins, UTC without zone."""
    return datetime(day.year, day.month, day.day) - _KOREA


def _past_or_owned(dialect: Dialect, source: Source, table: Table, cutoff_at: datetime) -> str:
    """SQL condition: row `r` is past, or the one that it belongs to is."""
    is_past = past(dialect, table, cutoff_at, "r")
    if table.keep.of is None:
        return is_past
    parent = source.tables[table.keep.of]
    # a parent may have a period of its own
    parent_cutoff_at = cutoff_at + timedelta(days=table.keep.days - parent.keep.days)
    raw = dialect.name(source.schema_name, parent.name)
    return (
        f"({is_past} or r.{dialect.quote(table.keep.column)} in"
        f" (select p.{dialect.quote(parent.key[0])} from {raw} as p"
        f" where {past(dialect, parent, parent_cutoff_at, 'p')}))"
    )


def children_first(
    tables: list[tuple[Source, Table]],
) -> list[tuple[Source, Table]]:
    """Tables whose rows belong to others' before these, which tell them when to go."""
    return sorted(tables, key=lambda pair: pair[1].keep.of is None)


def counted(dialect: Dialect, source: Source, table: Table, cutoff_at: datetime) -> str:
    """Query for how many rows are past, how many aren't, and the oldest day or instant of these."""
    relation = raw_relation(source, table)
    raw = dialect.name(relation.schema, relation.name)
    is_past = _past_or_owned(dialect, source, table, cutoff_at)
    by = f"r.{dialect.quote(table.keep.by)}"
    return (
        f"select coalesce(sum(case when {is_past} then 1 else 0 end), 0),"
        f" coalesce(sum(case when {is_past} then 0 else 1 end), 0),"
        f" min(case when {is_past} then null else {by} end) from {raw} as r"
    )


def expiry(
    dialect: Dialect, source: Source, table: Table, cutoff_at: datetime, run_id: str, at: datetime
) -> list[str]:
    """Statements, for one transaction, that drop a table's rows from before the cutoff.

    As after an erasure, the ledger of loads gets a row, so that the models see that something
    happened, and that of moves one for each load that lost rows, so that the rows add up.
    """
    relation = raw_relation(source, table)
    raw = dialect.name(relation.schema, relation.name)
    is_past = _past_or_owned(dialect, source, table, cutoff_at)
    mine = f"'{source.source}', '{table.name}'"
    last = "(select max(load_id) from raw_ledger.loads)"
    return [
        "create temp table expired as"
        f" select r._load_id as load_id from {raw} as r where {is_past}",
        "insert into raw_ledger.loads (load_id, run_id, source, table_name, extracted_at,"
        " read_count, loaded_count, quarantined_count, suppressed_count, vanished_count, checksum)"
        f" select coalesce({last}, 0) + 1, '{run_id}', {mine}, {instant(at)}, 0, 0, 0, 0, 0,"
        f" '{EXPIRED}' from (select count(*) as row_count from expired) as c where row_count > 0",
        # they left raw for good, as rows of people who were erased
        "insert into raw_ledger.moves"
        " (load_id, from_load_id, source, table_name, kind, row_count)"
        f" select {last}, load_id, {mine}, 'erased', count(*) from expired group by load_id",
        f"delete from {raw} as r where {is_past}",
        # a rejected row tells no day that can be trusted, so that of its rejection counts
        f"delete from raw_ledger.quarantine where source = '{source.source}'"
        f" and table_name = '{table.name}' and quarantined_at < {instant(cutoff_at)}",
        "insert into raw_ledger.expiries (source, table_name, cutoff_at, expired_at, row_count)"
        f" select {mine}, {instant(cutoff_at)}, {instant(at)}, count(*) from expired",
        *dialect.dropped(["expired"]),
    ]

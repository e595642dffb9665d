"""The tables that loads write to: the ledger, and a raw table for each declared one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from extract_load.declaration import Source, Table

LEDGER = "raw_ledger"


@dataclass(frozen=True)
class Relation:
    """A table as each engine makes it. Columns have declared types; all but `required` may be null.

    `key` is unique in the ledger; in raw it is what rows are looked up by.
    """

    schema: str
    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    check: str | None = None
    partition: str | None = None
    privacy: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _ledger(name: str, key: str = "", check: str | None = None, **columns: str) -> Relation:
    return Relation(
        LEDGER,
        name,
        {column: kind.split()[0] for column, kind in columns.items()},
        tuple(key.split()),
        frozenset(column for column, kind in columns.items() if not kind.endswith(" null")),
        check,
    )


_TABLE = {"source": "string", "table_name": "string"}
LEDGER_TABLES = (
    _ledger(
        "loads", "load_id", "read_count = loaded_count + quarantined_count + suppressed_count",
        load_id="bigint", run_id="string", **_TABLE, extracted_at="timestamp", read_count="bigint",
        loaded_count="bigint", quarantined_count="bigint", suppressed_count="bigint",
        vanished_count="bigint", checksum="string",
    ),
    _ledger(
        "moves", "", "kind in ('replaced', 'deleted', 'erased')",
        load_id="bigint", from_load_id="bigint", **_TABLE, kind="string", row_count="bigint",
    ),
    # the Korean days of the rows that a load brought, replaced or found gone
    _ledger("days", load_id="bigint", **_TABLE, day="date", row_count="bigint"),
    _ledger("cursors", "source table_name", **_TABLE, cursor_at="timestamp"),
    # how far a source itself says that a table was read
    _ledger("states", "source table_name", **_TABLE, state="string"),
    _ledger(
        "files", "source table_name file",
        **_TABLE, file="string", digest="string", size="bigint", modified="bigint",
        load_id="bigint",
    ),
    _ledger(
        "quarantine", "quarantine_id",
        quarantine_id="string", **_TABLE, load_id="bigint", file="string null", line="bigint null",
        row_key="string null", reason="string", masked_row="string null",
        quarantined_at="timestamp",
    ),
    _ledger(
        "runs", "", "outcome in ('loaded', 'nothing new', 'failed')",
        run_id="string", **_TABLE, finished_at="timestamp", outcome="string",
        message="string null",
    ),
    # people who were erased, by their pseudonyms, and the keys of rows that were theirs
    _ledger("erased_people", "token", token="string", erased_at="timestamp"),
    _ledger(
        "erased_rows", "source table_name row_key",
        **_TABLE, row_key="string", erased_at="timestamp",
    ),
    # before when rows of a table are past their period, and gone
    _ledger(
        "expiries", "",
        **_TABLE, cutoff_at="timestamp", expired_at="timestamp", row_count="bigint",
    ),
    # who had what done to which data; only ever added to
    _ledger(
        "access_log", "",
        happened_at="timestamp", actor="string", host="string", command="string", scope="string",
        outcome="string",
    ),
)  # fmt: skip


# columns that tell one row from another where it has no key of its own
_IDENTITY = {
    "file": {"_file": "string", "_line": "bigint"},
    "content": {"_content": "string", "_occurrence": "bigint"},
}


def raw_relation(source: Source, table: Table) -> Relation:
    """A raw table, bookkeeping columns last; a pseudonym is text whatever it was made from."""
    types = {
        column.name: "string" if column.privacy == "pseudonym" else column.type
        for column in table.landed
    }
    if table.has_pseudonyms:
        types["_key_version"] = "string"
    identity = source.identity(table)
    types |= _IDENTITY.get(identity, {})
    types |= {"_load_id": "bigint", "_extracted_at": "timestamp", "_deleted_at": "timestamp"}
    return Relation(
        source.schema_name,
        table.name,
        types,
        tuple(_IDENTITY.get(identity, table.key)),
        partition=table.partition,
        privacy={column.name: column.privacy for column in table.landed},
    )

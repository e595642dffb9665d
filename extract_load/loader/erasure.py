"""Erasing a person: out of raw and quarantine, and never back in.

Who was erased is kept as pseudonyms only (`raw_ledger.erased_people`), and beside them the keys of
rows that were theirs (`raw_ledger.erased_rows`), by which the rows of these rows are found. A load
keeps out whatever belongs to either.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from extract_load.declaration import Owner, Source, Table
from extract_load.loader.dialect import Dialect, instant
from extract_load.loader.relations import raw_relation

# stands in the ledger of loads where the checksum of a slice would
ERASED = "erased"


def belongs_to_erased(
    dialect: Dialect, source: Source, table: Table, row: str, types: Mapping[str, str]
) -> str:
    """SQL condition: relation `row` holds a row of somebody who was erased."""
    found = []
    for owner in table.owners:
        column = f"{row}.{dialect.quote(owner.column)}"
        if owner.of is None:
            belongs = f"{column} in (select token from raw_ledger.erased_people)"
        else:
            parent, name = _parent(source, owner)
            belongs = (
                f"{dialect.text(types[owner.column], column)} in (select row_key from"
                f" raw_ledger.erased_rows where source = '{parent}' and table_name = '{name}')"
            )
        for other, value in owner.where.items():
            text = value.replace("'", "''")
            belongs += f" and {row}.{dialect.quote(other)} = '{text}'"
        found.append(f"({belongs})")
    return f"({' or '.join(found)})"


def note_erased_rows(source: Source, table: Table, rows: str, at: datetime) -> str:
    """Statement that notes the keys in `rows` (a relation with `row_key`) that aren't noted yet."""
    return (
        "insert into raw_ledger.erased_rows (source, table_name, row_key, erased_at)"
        f" select '{source.source}', '{table.name}', n.row_key, {instant(at)} from {rows} as n"
        " left join raw_ledger.erased_rows as e on e.row_key = n.row_key"
        f" and e.source = '{source.source}' and e.table_name = '{table.name}'"
        " where e.row_key is null"
    )


def erasure(dialect: Dialect, sources: Sequence[Source], run_id: str, at: datetime) -> list[str]:
    """Statements that take out all rows of `raw_ledger.erased_people` and of what they own, and
    their names from other people's rows.

    Meant for one transaction. A table that lost rows gets a row in the ledger of loads, so that the
    models see that something happened, and one in the ledger of moves, so that the rows add up.
    """
    statements = []
    temporary = []
    for n, (source, table) in enumerate(_owners_first(sources)):
        rows = f"erased_{n}"
        temporary.append(rows)
        statements += _take_out(dialect, source, table, rows, run_id, at)
    for source in sources:
        for table in source.tables.values():
            raw = dialect.name(source.schema_name, table.name)
            statements += [
                f"update {raw} set {dialect.quote(name)} = null"
                f" where {dialect.quote(name)} in (select token from raw_ledger.erased_people)"
                for name in mentions(table)
            ]
    return [*statements, *unname_rejected(), *dialect.dropped(temporary)]


def mentions(table: Table) -> list[str]:
    """Columns that may name a person whose row it isn't, as a child's row names a guardian, or with
    whom it doesn't go, as a payment that has to be kept."""
    owners = {owner.column for owner in table.owners if owner.of is None}
    return [
        column.name
        for column in table.landed
        if column.privacy == "pseudonym" and column.name not in {*owners, *table.key}
    ]


def linked_people(dialect: Dialect, sources: Iterable[Source]) -> list[str]:
    """Queries for pairs of pseudonyms that are one person's: rows with more than one owner."""
    queries = []
    for source in sources:
        for table in source.tables.values():
            people = [dialect.quote(owner.column) for owner in table.erase_by if not owner.of]
            raw = dialect.name(source.schema_name, table.name)
            queries += [
                f"select {people[0]}, {other} from {raw}"
                f" where {people[0]} is not null and {other} is not null"
                for other in people[1:]
            ]
    return queries


def _take_out(
    dialect: Dialect, source: Source, table: Table, rows: str, run_id: str, at: datetime
) -> list[str]:
    relation = raw_relation(source, table)
    raw = dialect.name(relation.schema, relation.name)
    text = dialect.types["string"]
    owned = belongs_to_erased(dialect, source, table, "r", relation.columns)
    mine = f"'{source.source}', '{table.name}'"
    by_key = source.identity(table) == "key"
    key = " || '|' || ".join(
        dialect.text(relation.columns[name], f"r.{dialect.quote(name)}") for name in table.key
    )
    last = "(select max(load_id) from raw_ledger.loads)"
    return [
        f"create temp table {rows} as select r._load_id as load_id,"
        f" {key if by_key else f'cast(null as {text})'} as row_key from {raw} as r where {owned}",
        *(
            [note_erased_rows(source, table, f"(select distinct row_key from {rows})", at)]
            if by_key
            else []
        ),
        "insert into raw_ledger.loads (load_id, run_id, source, table_name, extracted_at,"
        " read_count, loaded_count, quarantined_count, suppressed_count, vanished_count, checksum)"
        f" select coalesce({last}, 0) + 1, '{run_id}', {mine}, {instant(at)}, 0, 0, 0, 0, 0,"
        f" '{ERASED}' from (select count(*) as row_count from {rows}) as c where row_count > 0",
        "insert into raw_ledger.moves"
        " (load_id, from_load_id, source, table_name, kind, row_count)"
        f" select {last}, load_id, {mine}, 'erased', count(*) from {rows} group by load_id",
        f"delete from {raw} as r where {owned}",
        *keep_out_rejected(
            source,
            table,
            "(select quarantine_id, row_key, masked_row from raw_ledger.quarantine"
            f" where source = '{source.source}' and table_name = '{table.name}')",
            at,
        ),
    ]


def keep_out_rejected(source: Source, table: Table, rejected: str, at: datetime) -> list[str]:
    """Statements that take rejected rows of people who were erased out of quarantine. `rejected` is
    a relation of the table's rows in it: JSON texts, pseudonyms and keys among them.
    """
    found = []
    for owner in table.owners:
        if owner.of is None:
            found.append(
                f"select q.quarantine_id from {rejected} as q"
                " cross join raw_ledger.erased_people as e where strpos(q.masked_row, e.token) > 0"
            )
            continue
        parent, name = _parent(source, owner)
        # a number stands bare, a text in quotes
        stands = " or ".join(
            f"strpos(q.masked_row, '\"{owner.column}\":{before}' || e.row_key || '{after}') > 0"
            for before, after in (('"', '"'), ("", ","), ("", "}"))
        )
        found.append(
            f"select q.quarantine_id from {rejected} as q"
            f" cross join raw_ledger.erased_rows as e where e.source = '{parent}'"
            f" and e.table_name = '{name}' and ({stands})"
        )
    theirs = f"quarantine_id in ({' union all '.join(found)})"
    keys = f"(select distinct row_key from {rejected} as r where row_key is not null and {theirs})"
    return [
        *([note_erased_rows(source, table, keys, at)] if source.identity(table) == "key" else []),
        f"delete from raw_ledger.quarantine where {theirs}",
    ]


def unname_rejected() -> list[str]:
    """Statements that take the pseudonyms of people who were erased out of other rejected rows: up
    to two of each."""
    named = (
        "select q.quarantine_id, min(e.token) as token from raw_ledger.quarantine as q"
        " cross join raw_ledger.erased_people as e where strpos(q.masked_row, e.token) > 0"
        " group by q.quarantine_id"
    )
    return [
        f"merge into raw_ledger.quarantine as q using ({named}) as n"
        " on q.quarantine_id = n.quarantine_id"
        " when matched then update set masked_row = replace(q.masked_row, n.token, '')"
    ] * 2


def _parent(source: Source, owner: Owner) -> tuple[str, str]:
    name, _, table = (owner.of or "").rpartition(".")
    return name or source.source, table


def _owners_first(sources: Iterable[Source]) -> Sequence[tuple[Source, Table]]:
    """Tables with people's rows, each after the tables that own its rows."""
    waiting = {
        (source.source, table.name): (source, table)
        for source in sources
        for table in source.tables.values()
        if table.owners
    }
    ordered: list[tuple[Source, Table]] = []
    while waiting:
        free = {
            name: (source, table)
            for name, (source, table) in waiting.items()
            if not any(_parent(source, o) in waiting for o in table.owners if o.of)
        }
        # tables that own each other: any order is as good
        for name, pair in (free or dict(waiting)).items():
            ordered.append(pair)
            del waiting[name]
    return ordered

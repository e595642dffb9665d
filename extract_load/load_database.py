"""From a database table into raw: whole, or by its cursor."""

from collections.abc import Iterator

from extract_load.declaration import Source, Table
from extract_load.loader.move import Load
from extract_load.loader.warehouse import Counts
from extract_load.readers import database
from extract_load.report import Run, TableReport


def load_table(source: Source, table: Table, run: Run, report: TableReport) -> Iterator[Counts]:
    again = run.reads_again(source, table)
    cursor = None if again else run.warehouse.cursor(source, table)
    window = database.Window(cursor - table.lag if cursor else None)
    if table.mode == "incremental" and (run.since or run.until) and not again:
        window = database.Window(run.since, run.until)
    complete = table.mode == "full"
    path, keys_path = run.landing("rows"), run.landing("keys")
    try:
        with database.connect(source) as connection:
            report.undeclared |= set(connection.undeclared(table))
            landing = run.lander.land(connection.read(table, window), table, path)
            keys = None
            if table.deletes == "compare_keys" and not complete:
                keys = run.lander.land(connection.read_keys(table), _keys_only(table), keys_path)
            cursor_at = None
            if table.mode == "incremental" and window.until is None:
                cursor_at = run.furthest(landing.newest, run.warehouse.cursor(source, table))
            at_source = connection.count(table, cursor_at) if cursor_at else None
        run.refuse_empty(source, table, landing.read if complete else keys.read if keys else None)
        yield run.warehouse.commit(
            Load(
                run.run_id,
                source,
                table,
                landing,
                run.now,
                cursor_at=cursor_at,
                complete=complete,
                keys=keys,
            )
        )
        if cursor_at and at_source is not None:
            report.late = max(0, at_source - run.warehouse.known_count(source, table, cursor_at))
    finally:
        path.unlink(missing_ok=True)
        keys_path.unlink(missing_ok=True)


def _keys_only(table: Table) -> Table:
    """The table as if its key were all that it has."""
    columns = tuple(column for column in table.columns if column.name in table.key)
    return table.model_copy(
        update={"columns": columns, "cursor": None, "future": None, "partition": None}
    )

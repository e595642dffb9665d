"""DuckDB: raw tables and ledger in one file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from extract_load.loader.conform import SQL_TYPES
from extract_load.loader.warehouse import Warehouse, WarehouseError

__all__ = ["DuckDBWarehouse", "WarehouseError"]


class DuckDBWarehouse(Warehouse):
    """Raw tables and ledger in one DuckDB file, made where there is none.

    One process writes, or many read with `read_only`.
    """

    types: ClassVar = SQL_TYPES

    def __init__(self, path: Path, read_only: bool = False):
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.connection = duckdb.connect(
                str(path), read_only=read_only, config={"autoinstall_known_extensions": False}
            )
        except duckdb.IOException as error:
            raise WarehouseError(
                f"can't open the warehouse: {str(error).splitlines()[0]}"
            ) from None
        self.connection.execute("set timezone = 'UTC'")
        self.connection.execute("set enable_progress_bar = false")
        # whole row groups are written as they come: less memory, and a smaller file
        self.connection.execute("set preserve_insertion_order = false")
        if not read_only:
            path.chmod(0o600)
            self._make_ledger()

    def close(self) -> None:
        self.connection.close()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, list(parameters)).fetchall()

    def relations(self) -> set[tuple[str, str]]:
        return set(self.query("select table_schema, table_name from information_schema.tables"))

    @contextmanager
    def staged(self, inputs: Mapping[str, Path | pa.Table]) -> Iterator[dict[str, str]]:
        for name, data in inputs.items():
            if isinstance(data, pa.Table):
                self.connection.register(name, data)
            else:
                self.query(
                    f"create or replace temp view {name} as select * from read_parquet('{data}')"
                )
        try:
            yield {name: name for name in inputs}
        finally:
            for name in inputs:
                self.query(f"drop view if exists {name}")

    def _columns(self, schema: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for table, column in self.query(
            "select table_name, column_name from information_schema.columns where table_schema = ?",
            [schema],
        ):
            found.setdefault(table, set()).add(column)
        return found

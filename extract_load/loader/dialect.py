"""What engines call things, where SQL that all of them read doesn't suffice."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar


def instant(at: datetime) -> str:
    """SQL for an instant, UTC without zone."""
    return f"timestamp '{at.isoformat(' ')}'"


class Dialect:
    """The words of an engine's SQL; these defaults are DuckDB's and Postgres'."""

    types: ClassVar[Mapping[str, str]]  # declared type -> the engine's

    def quote(self, name: str) -> str:
        return f'"{name}"'

    def name(self, schema: str, table: str) -> str:
        return f"{schema}.{self.quote(table)}"

    def digest(self, text: str) -> str:
        """SQL for the MD5 of a text as hex digits."""
        return f"md5({text})"

    def korean_day(self, at: str) -> str:
        """SQL for the day in Korea of an instant."""
        return f"cast({at} + interval '9 hours' as date)"

    def text(self, kind: str, value: str) -> str:
        """SQL for a value of a declared type as the text that it has in a landing's `_key`."""
        return f"cast({value} as {self.types['string']})"

    def assertion(self, condition: str, message: str) -> list[str]:
        """Statements that stop a transaction unless `condition` holds; none where keys and checks
        of the ledger see to it."""
        return []

    def dropped(self, tables: Sequence[str]) -> list[str]:
        """Statements that drop temporary tables; none where these end with their script."""
        return [f"drop table {table}" for table in tables]

"""What happened to the statements that the endpoint was sent."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

SLOWEST, SHOWN = 20, 200


@dataclass
class Report:
    """Counts since the endpoint started.

    judged: analyses by ZetaSQL (a view or a DML statement takes several); rejected: those refused;
    reference: queries run on the reference implementation; remembered: answered from before;
    fallbacks: queries run on DuckDB, each with its reason; crashes: instances of ZetaSQL lost;
    statements: finished statements by kind; slowest: seconds and beginnings of the slowest queries.
    """

    judged: int = 0
    rejected: int = 0
    reference: int = 0
    remembered: int = 0
    crashes: int = 0
    fallbacks: list[dict] = field(default_factory=list)
    statements: Counter = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    def took(self, seconds: float, sql: str) -> None:
        """A query ran for so long."""
        known = [*self.slowest, (round(seconds, 1), sql.strip()[:SHOWN])]
        self.slowest = heapq.nlargest(SLOWEST, known)

"""What happened to the statements that the endpoint was sent."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counts since the endpoint started.

    judged: analyses by ZetaSQL (a view or a DML statement takes several); rejected: those refused;
    reference: queries run on the reference implementation; remembered: answered from before;
    fallbacks: queries run on DuckDB, each with its reason; crashes: instances of ZetaSQL lost;
    statements: finished statements by kind.
    """

    judged: int = 0
    rejected: int = 0
    reference: int = 0
    remembered: int = 0
    crashes: int = 0
    fallbacks: list[dict] = field(default_factory=list)
    statements: Counter = field(default_factory=Counter)

"""Measures contestants side by side: alternating, each run in a process of its own."""

import importlib
import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

Contestant = Callable[[str, Path], int]


def needs(*modules: str) -> Callable[[Contestant], Contestant]:
    """Names what a contestant imports, which is done before the clock starts."""

    def mark(contestant: Contestant) -> Contestant:
        contestant.needs = modules  # type: ignore[attr-defined]
        return contestant

    return mark


@dataclass(frozen=True)
class Run:
    """One run: rows there are afterwards, seconds from opening the target to closing it, seconds
    that the cores worked in the process for it, peak resident memory in bytes."""

    rows: int
    seconds: float
    work: float
    memory: int


@dataclass
class Contest:
    """What is measured against what. The first contestant is the floor, the second is ours.

    `wanted` are the least ratios of our speed to that of others, by their names.
    """

    title: str
    contestants: dict[str, Contestant]
    wanted: dict[str, float]
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def speed(self, name: str) -> float:
        """Rows a second, the median of the runs."""
        return statistics.median(run.rows / run.seconds for run in self.runs[name])

    def work(self, name: str) -> float:
        """Microseconds of a core for a row, the median of the runs."""
        return statistics.median(run.work / run.rows * 1e6 for run in self.runs[name])

    def memory(self, name: str) -> int:
        """The greatest peak of the runs, in bytes."""
        return max(run.memory for run in self.runs[name])

    @property
    def rows(self) -> int:
        return self.runs[self.ours][0].rows

    @property
    def floor(self) -> str:
        return next(iter(self.contestants))

    @property
    def ours(self) -> str:
        return list(self.contestants)[1]

    def run(self, place: str, folder: Path, rounds: int, say: Callable[[str], None]) -> None:
        """Runs all contestants in turn, `rounds` times. Raises RuntimeError where one fails or
        brings other rows than the floor."""
        for number in range(rounds):
            for name, contestant in self.contestants.items():
                run = _apart(contestant, place, folder)
                self.runs.setdefault(name, []).append(run)
                if run.rows != self.runs[self.floor][0].rows:
                    raise RuntimeError(f"{self.title}: {name} brought {run.rows:,} rows")
                say(
                    f"{self.title}, {number + 1} of {rounds}, {name}: {run.seconds:.1f} s,"
                    f" {run.rows / run.seconds:,.0f} rows/s, {run.memory / 2**20:,.0f} MiB"
                )


def _apart(contestant: Contestant, place: str, folder: Path) -> Run:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    own = Path(tempfile.mkdtemp(dir=folder))
    process = context.Process(target=_timed, args=(contestant, place, own, theirs))
    process.start()
    theirs.close()
    try:
        return Run(*ours.recv())
    except EOFError:
        raise RuntimeError(f"{contestant.__name__} failed: its words stand above") from None
    finally:
        process.join()
        shutil.rmtree(own)


def _timed(contestant: Contestant, place: str, folder: Path, pipe: Connection) -> None:
    for module in getattr(contestant, "needs", ()):
        importlib.import_module(module)
    started, worked = time.perf_counter(), time.process_time()
    rows = contestant(place, folder)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    # Linux counts in KiB
    pipe.send((rows, seconds, work, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))

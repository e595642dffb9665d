"""What the operator sees: progress, tables, JSON."""

import json
import sys
import time
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid

from extract_load import LoadReport, TableReport
from goodoc.privacy import RESTRICTED
from goodoc.settings import Settings

# Progress and messages go to stderr, results to stdout, so that --json can be piped.
out, err = Console(), Console(stderr=True, highlight=False)
if not out.is_terminal:
    out = Console(width=120)  # a log has no width to keep to


def say(text: str) -> None:
    """A remark while a command works."""
    err.print(text, style="dim", markup=False)


def bar() -> Progress:
    """Progress of something whose end is known."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )


class LoadProgress:
    """Rows and rows a second of each table while it loads."""

    def __init__(self) -> None:
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.completed:,} rows"),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
        )
        self.started: float = 0.0
        self.task: Any = None

    def __enter__(self) -> "LoadProgress":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, report: TableReport, done: bool) -> None:
        if self.task is None:
            self.started = time.monotonic()
            self.task = self.progress.add_task("", total=None, speed="")
        seconds = max(time.monotonic() - self.started, 0.001)
        self.progress.update(
            self.task,
            description=f"load {report.source}.{report.table}",
            completed=report.counts.read,
            speed=f"{report.counts.read / seconds:,.0f} rows/s",
        )
        if done:
            self.progress.remove_task(self.task)
            self.task = None


class BuildProgress:
    """Nodes done of all nodes while dbt builds."""

    def __init__(self) -> None:
        self.progress = bar()
        self.task: Any = None

    def __enter__(self) -> "BuildProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, node: str, done: int, total: int) -> None:
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task("build", total=total)
        self.progress.update(self.task, description=f"build {node}", completed=done, total=total)


def grid(*headers: str) -> Grid:
    """A table; a header that starts with > is right-aligned."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        right = header[0] == ">"
        grid.add_column(
            header.removeprefix(">"), justify="right" if right else "left", no_wrap=right
        )
    return grid


def number(value: int | None) -> str:
    """With thousands separated; nothing where there is none."""
    return "" if value is None else f"{value:,}"


def load_dict(report: LoadReport) -> dict[str, Any]:
    """A load as plain values for JSON."""
    return {
        "run_id": report.run_id,
        "tables": [
            {
                "source": t.source,
                "table": t.table,
                **vars(t.counts),
                "seconds": round(t.seconds, 3),
                "error": t.error,
                "notes": t.notes,
            }
            for t in report.tables
            if not t.is_left_out
        ],
        "left_out": report.left_out,
    }


def load(report: LoadReport, as_json: bool) -> None:
    """A load as a table, its notes and failures below it."""
    if as_json:
        print_json(load_dict(report))
        return
    rows = grid("table", ">read", ">loaded", ">quarantined", ">suppressed", ">vanished", ">rows/s")
    for table in report.tables:
        if table.is_left_out:
            continue
        c = table.counts
        speed = f"{c.read / table.seconds:,.0f}" if c.read and table.seconds else ""
        rows.add_row(
            f"{table.source}.{table.table}",
            *map(number, (c.read, c.loaded, c.quarantined, c.suppressed, c.vanished)),
            speed,
        )
    out.print(rows)
    if report.left_out:
        names = ", ".join(report.left_out)
        err.print(
            f"{len(report.left_out)} optional sources are not set up (`goodoc sources check` says"
            f" what they need): {names}",
            markup=False,
            soft_wrap=True,
        )
    for table in report.tables:
        for note in table.notes:
            err.print(f"{table.source}.{table.table}: {note}", markup=False, soft_wrap=True)
        if table.error:
            err.print(
                f"goodoc: {table.source}.{table.table}: {table.error}", markup=False, soft_wrap=True
            )


def build(report: Any, as_json: bool) -> None:
    """A build in one line, its failures below it."""
    if as_json:
        print_json(vars(report))
        return
    out.print(
        f"build: {report.passed:,} passed, {report.warned:,} warned,"
        f" {len(report.failures):,} failed, {report.skipped:,} skipped"
    )
    for failure in report.failures:
        err.print(f"goodoc: {failure}", markup=False, soft_wrap=True)


def expiries(report: Any, is_trial: bool, as_json: bool) -> None:
    """What each table dropped because its period is over."""
    if as_json:
        print_json(
            {
                "expiries": [vars(expiry) for expiry in report.expiries],
                "kept_for_good": report.kept_for_good,
                "build": report.built and vars(report.built),
            }
        )
        return
    dropped = ">would go" if is_trial else ">dropped"
    rows = grid("table", ">days", "because of", "from before", dropped, ">kept", "oldest day left")
    for each in report.expiries:
        rows.add_row(
            f"{each.source}.{each.table}", number(each.period_days), each.because,
            str(each.cutoff), number(each.dropped), number(each.kept), str(each.oldest or ""),
        )  # fmt: skip
    out.print(rows)
    out.print(
        f"{report.dropped:,} rows {'would go' if is_trial else 'dropped'};"
        f" {len(report.kept_for_good)} tables have no period and keep everything"
    )


def marts(settings: Settings, published: list[Any]) -> None:
    """Published marts, and where they are."""
    rows = grid("mart", "model", ">rows")
    for mart in published:
        rows.add_row(mart.schema, mart.name, number(mart.rows))
    out.print(rows)
    if settings.target == "duckdb":
        out.print(f"published: {settings.published / 'marts.duckdb'}", soft_wrap=True)
        out.print(f"           {settings.published / 'parquet'}", soft_wrap=True)
        out.print(f"restricted: {settings.published / RESTRICTED}", soft_wrap=True)
        return
    places = dict.fromkeys(f"published_{mart.schema}" for mart in published)
    out.print(f"published: {', '.join(places)}", soft_wrap=True)


def print_json(value: Any) -> None:
    """Plain values on stdout."""

    def text(item: object) -> str:
        return item.isoformat() if isinstance(item, (date, datetime)) else str(item)

    sys.stdout.write(json.dumps(value, default=text, ensure_ascii=False, indent=1) + "\n")

"""The page and the chart of what was measured."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from benchmarks.contest import Contest

_LIBRARIES = ("duckdb", "pyarrow", "adbc-driver-postgresql", "dlt", "connectorx")
_WIDTH, _BAR, _LEFT = 760, 22, 250


def page(contests: Sequence[Contest], small: bool, load: float) -> str:
    """The measurements as Markdown; `load` is the machine's load average before them."""
    head = (
        "# Benchmarks\n\nWritten by `make bench`. Each figure stands beside the least that the same"
        " work takes, measured in turns with it on the same machine: *alone* copies the rows into a"
        " DuckDB file and looks at nothing. *goodoc* also casts strictly, looks for resident"
        " numbers, replaces direct identifiers, lands the slice, counts it, and commits it with its"
        " ledger. *Work* is what the cores did for a row in the process itself, which other"
        " work on the machine hardly changes.\n\n"
    )
    if small:
        head += "**A small run: it shows that this works, not how fast it is.**\n\n"
    head += "![rows per second](benchmarks.svg)\n\n"
    lines = ["| what | rows | by | rows/s | goodoc is | wanted | work a row | peak memory |"]
    lines.append("|---|---:|---|---:|---:|---:|---:|---:|")
    for contest in contests:
        for name in contest.runs:
            ratio = contest.speed(contest.ours) / contest.speed(name)
            wanted = contest.wanted.get(name)
            lines.append(
                f"| {contest.title} | {contest.rows:,} | {name} | {contest.speed(name):,.0f} |"
                f" {'' if name == contest.ours else f'{ratio:.2f} ×'} |"
                f" {'' if wanted is None else f'≥ {wanted:g} ×'} |"
                f" {contest.work(name):.2f} µs | {contest.memory(name) / 2**20:,.0f} MiB |"
            )
    return head + "\n".join(lines) + "\n\n" + _circumstances(contests, load)


def _circumstances(contests: Sequence[Contest], load: float) -> str:
    rounds = len(contests[0].runs[contests[0].ours])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    return (
        f"Median of {rounds}. {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores"
        f" ({platform.machine()}), {memory:.0f} GiB, {platform.system()},"
        f" load average before {load:.1f}, Python {platform.python_version()}, {versions}.\n"
    )


def chart(contests: Sequence[Contest]) -> str:
    """Rows a second as bars (SVG), one block for each contest."""
    parts, y = [], 10
    for contest in contests:
        parts.append(f'<text x="10" y="{y + 16}" font-weight="bold">{escape(contest.title)}</text>')
        y += 26
        most = max(map(contest.speed, contest.runs))
        for name in contest.runs:
            speed = contest.speed(name)
            length = (_WIDTH - _LEFT - 120) * speed / most
            colour = "#2a6fdb" if name == contest.ours else "#b8c0cc"
            parts.append(
                f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
                f'<rect x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR - 4}"'
                f' fill="{colour}"/>'
                f'<text x="{_LEFT + length + 8:.0f}" y="{y + 15}">{speed:,.0f} rows/s</text>'
            )
            y += _BAR
        y += 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}"'
        ' font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )

"""`python -m benchmarks [--small]` measures extract-load, writes docs/benchmarks.md and a chart."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import contestants, events, orders
from benchmarks.contest import Contest
from benchmarks.report import chart, page

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a thousandth of the rows, one round")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the page and the chart")
    parser.add_argument("--scratch", type=Path, help="where to put data: 15 GB, 20 MB if small")
    parser.add_argument("--rows", type=float, default=1.0, help="share of the rows, to try things")
    options = parser.parse_args(arguments)
    share = 0.001 if options.small else options.rows
    load, _, _ = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="goodoc_bench_", dir=options.scratch) as folder:
        contests = measured(Path(folder), share, 1 if options.small else 3)
    text = page(contests, options.small, load)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "benchmarks.md").write_text(text, encoding="utf-8")
    (options.out / "benchmarks.svg").write_text(chart(contests), encoding="utf-8")
    print(text)


def measured(folder: Path, share: float, rounds: int) -> list[Contest]:
    """All contests with their runs, of `share` of the full number of rows."""
    database, parquet, lines = contests = [
        Contest(
            "Database to raw",
            {
                "ADBC alone": contestants.adbc_floor,
                "goodoc": contestants.goodoc_orders,
                "dlt, pyarrow": contestants.dlt_pyarrow,
                "dlt, connectorx": contestants.dlt_connectorx,
            },
            {"ADBC alone": 0.6, "dlt, pyarrow": 3.0},
        ),
        Contest(
            "Parquet to raw",
            {"DuckDB alone": contestants.parquet_floor, "goodoc": contestants.goodoc_events},
            {"DuckDB alone": 0.6},
        ),
        Contest(
            "JSON lines to raw",
            {"DuckDB alone": contestants.json_floor, "goodoc": contestants.goodoc_events},
            {"DuckDB alone": 0.6},
        ),
    ]
    with orders.server(int(5_000_000 * share)) as url:
        database.run(url, folder, rounds, say)
    say("writing events")
    events.write_parquet(folder / "parquet", int(20_000_000 * share), max(2, int(40 * share)))
    parquet.run(str(folder / "parquet"), folder, rounds, say)
    events.write_json_lines(folder / "lines", int(5_000_000 * share), max(2, int(10 * share)))
    lines.run(str(folder / "lines"), folder, rounds, say)
    return contests


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

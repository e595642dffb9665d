"""The benchmarks run, and say what they measured; how fast it was is for a quiet machine."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.contest import Contest, Run
from benchmarks.report import chart, page
from conftest import PROJECT


def test_a_small_run_measures_all_and_leaves_nothing_behind(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    subprocess.run(
        [sys.executable, "-m", "benchmarks", "--small", "--out", tmp_path, "--scratch", scratch],
        cwd=PROJECT, check=True, capture_output=True,
    )  # fmt: skip
    assert list(scratch.iterdir()) == []
    text = (tmp_path / "benchmarks.md").read_text()
    assert "A small run" in text
    for what, rows, names in (
        ("Database to raw", 5000, ("ADBC alone", "goodoc", "dlt, pyarrow", "dlt, connectorx")),
        ("Parquet to raw", 20_000, ("DuckDB alone", "goodoc")),
        ("JSON lines to raw", 5000, ("DuckDB alone", "goodoc")),
    ):
        for name in names:
            assert f"| {what} | {rows:,} | {name} |" in text
    ElementTree.parse(tmp_path / "benchmarks.svg")


def test_a_ratio_is_of_the_medians() -> None:
    contest = Contest("Work", {"floor": len, "goodoc": len}, {"floor": 0.6})
    contest.runs = {
        "floor": [Run(100, seconds, 1e-4, 2**20) for seconds in (1.0, 2.0, 50.0)],
        "goodoc": [Run(100, seconds, 3e-4, 2**21) for seconds in (4.0, 0.1, 60.0)],
    }
    text = page([contest], small=False, load=0.5)
    assert "| Work | 100 | floor | 50 | 0.50 × | ≥ 0.6 × | 1.00 µs | 1 MiB |" in text
    assert "| Work | 100 | goodoc | 25 |  |  | 3.00 µs | 2 MiB |" in text
    assert "load average before 0.5" in text
    assert "<svg" in chart([contest])

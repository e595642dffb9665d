"""Killed at random moments, thirty times, while the company goes on: nothing lost or doubled."""

import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import simulator
from conftest import Goodoc, differences
from engines import drop_database, postgres_server
from goodoc.settings import Postgres, Settings
from goodoc.setup import prepare_target
from test_company import loaded_as_the_truth_says

SEED = 20261122


def kill_at_random(
    goodoc: Goodoc, chance: random.Random, longest: float, *command: str
) -> float | None:
    """Starts a command and kills it with SIGKILL within `longest` seconds of its work, which begins
    when it holds the lock. None, or how long it worked if it was done before.
    """
    note = goodoc.home / "writer.json"
    note.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", "from goodoc.cli import main; main()", *command],
        env=goodoc.environment, cwd=goodoc.home.parent, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not note.exists():
        time.sleep(0.005)
    began = time.monotonic()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=chance.uniform(0, longest))
    process.send_signal(signal.SIGKILL)
    killed = process.wait() == -signal.SIGKILL
    return None if killed else time.monotonic() - began


def kill_many(goodoc: Goodoc, company: Path, times: int, longest: float, *command: str) -> None:
    """Kills a command until so many kills have hit; the company goes on when one gets through."""
    chance, hits = random.Random(SEED), 0
    for _ in range(times * 4):
        worked = kill_at_random(goodoc, chance, longest, *command)
        if worked is None:
            hits += 1
        else:
            longest = worked
            simulator.append_day(company)
        if hits == times:
            return
    pytest.fail(f"only {hits} of {times} kills hit: the machine is too uneven for this test")


def test_thirty_kills_over_load_and_build_and_every_figure_is_right(
    goodoc: Goodoc, company: Path
) -> None:
    goodoc.use(company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    kill_many(goodoc, company, 24, 3.0, "load")
    assert goodoc("load").returncode == 0
    kill_many(goodoc, company, 6, 15.0, "build")
    after = goodoc("run")
    assert after.returncode == 0, after.stderr
    assert differences(goodoc, company) == {}
    loaded_as_the_truth_says(goodoc, company)


def test_kills_while_loading_postgres_lose_and_double_nothing(
    goodoc: Goodoc, company: Path
) -> None:
    url = postgres_server()
    prepare_target(Settings("postgres", goodoc.home, goodoc.home, 0, Postgres(url)), {})
    goodoc.use(company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    goodoc.environment |= {"GOODOC_TARGET": "postgres", "GOODOC_PG_URL": url}
    kill_many(goodoc, company, 6, 6.0, "load")
    assert goodoc("load").returncode == 0
    loaded_as_the_truth_says(goodoc, company)
    drop_database(url)

"""Killed at random moments, thirty times, while the company goes on: nothing lost or doubled."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import simulator
from conftest import Goodoc, differences
from engines import drop_database, postgres_server
from goodoc.settings import Postgres, Settings
from goodoc.setup import prepare_target
from test_company import loaded_as_the_truth_says

SEED = 20261122


def kill_at_random(goodoc: Goodoc, chance: random.Random, longest: float, *command: str) -> bool:
    """Starts a command and kills it with SIGKILL within `longest` seconds; False if it was done."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from goodoc.cli import main; main()", *command],
        env=goodoc.environment, cwd=goodoc.home.parent, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    time.sleep(chance.uniform(0, longest))
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def seconds_of(goodoc: Goodoc, *command: str) -> float:
    started = time.monotonic()
    result = goodoc(*command)
    assert result.returncode == 0, result.stderr
    return time.monotonic() - started


def kill_many(goodoc: Goodoc, company: Path, times: int, *command: str) -> None:
    """Kills a command until so many kills have hit; the company goes on when one gets through."""
    chance = random.Random(SEED)
    longest, hits = seconds_of(goodoc, *command), 0
    for _ in range(times * 2):
        simulator.append_day(company)
        while hits < times and kill_at_random(goodoc, chance, longest, *command):
            hits += 1
        if hits == times:
            return
    pytest.fail(f"only {hits} of {times} kills hit: the machine is too uneven for this test")


def test_thirty_kills_over_load_and_build_and_every_figure_is_right(
    goodoc: Goodoc, company: Path
) -> None:
    goodoc.use(company)
    goodoc.home.mkdir()
    (goodoc.home / "pseudonym.key").write_text("k" * 32)
    kill_many(goodoc, company, 24, "load")
    assert goodoc("load").returncode == 0
    kill_many(goodoc, company, 6, "build")
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
    kill_many(goodoc, company, 6, "load")
    assert goodoc("load").returncode == 0
    loaded_as_the_truth_says(goodoc, company)
    drop_database(url)

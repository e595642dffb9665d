"""Fixtures: a laboratory for the loader, and a made-up company that several tests share."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from extract_load import LoadReport, load, read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
from extract_load.loader.pseudonyms import PseudonymKey

PROJECT = Path(__file__).resolve().parents[2]
KEY = PseudonymKey(b"a key for tests, 32 bytes long..")
FIGURES = yaml.safe_load((Path(__file__).parent / "truth_figures.yml").read_text())


class Lab:
    """A folder with source declarations, a warehouse, and one call to load them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder
        self.sources = folder / "sources"
        self.files = folder / "files"
        self.database = folder / "shop.sqlite"
        self.warehouse = folder / "warehouse.duckdb"
        self.sources.mkdir()
        self.files.mkdir()
        monkeypatch.setenv("FILES", str(self.files))
        monkeypatch.setenv("SHOP", f"sqlite:///{self.database}")

    def declare(self, text: str, name: str = "shop") -> Path:
        """Writes a declaration; `text` is dedented."""
        file = self.sources / f"{name}.yml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def load(self, **options: Any) -> LoadReport:
        with DuckDBWarehouse(self.warehouse) as warehouse:
            key = options.pop("key", KEY)
            return load(
                read_sources(self.sources).values(),
                warehouse,
                self.folder / "landing",
                key,
                **options,
            )

    def query(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse)) as connection:
            return connection.execute(query).fetchall()

    def ledger_balances(self) -> bool:
        """What the ledger says of each table: raw holds what was loaded, less what was replaced."""
        tables = self.query("select distinct source, table_name from raw_ledger.loads")
        for source, table in tables:
            ((loaded,),) = self.query(
                f"select sum(loaded_count) from raw_ledger.loads"
                f" where source = '{source}' and table_name = '{table}'"
            )
            ((replaced,),) = self.query(
                f"select coalesce(sum(row_count), 0) from raw_ledger.moves where kind = 'replaced'"
                f" and source = '{source}' and table_name = '{table}'"
            )
            ((there,),) = self.query(f"select count(*) from raw_{source}.{table}")
            if loaded - replaced != there:
                return False
        return True


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


class Goodoc:
    """The command line as an operator calls it, in a home of its own."""

    def __init__(self, home: Path):
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GOODOC_")},
            "GOODOC_HOME": str(home),
            "GOODOC_LOCK_WAIT": "0",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from goodoc.cli import main; main()", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            cwd=self.home.parent,
        )

    def use(self, company: Path) -> "Goodoc":
        """Points every source at a simulated company."""
        for line in (company / "sources.env").read_text().splitlines():
            name, _, value = line.partition("=")
            self.environment[name] = value.strip("'\"")
        return self

    def query(self, query: str, database: str = "warehouse.duckdb") -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / database), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def goodoc(tmp_path: Path) -> Goodoc:
    return Goodoc(tmp_path / "home")


@pytest.fixture(scope="session")
def small_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small company of three weeks, never changed: copy it to append days."""
    import simulator

    out = tmp_path_factory.mktemp("company") / "small"
    simulator.simulate(out, days=21, scale=0.02, seed=7)
    return out


@pytest.fixture
def company(small_company: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the small company to do with as a test likes."""
    copy = tmp_path / "company"
    shutil.copytree(small_company, copy)
    environment = copy / "sources.env"
    environment.write_text(environment.read_text().replace(str(small_company), str(copy)))
    yield copy


def truth(company: Path) -> dict:
    return json.loads((company / "truth.json").read_text())


def differences(goodoc: Goodoc, company: Path) -> dict[str, tuple]:
    """Figure -> (truth, mart) where they differ; each figure has a query, each query a figure."""
    figures = truth(company)["figures"]
    assert set(figures) == set(FIGURES)
    found = {name: goodoc.query(query)[0][0] for name, query in FIGURES.items()}
    return {
        name: (value, found[name])
        for name, value in figures.items()
        if found[name] is None or abs(float(found[name]) - value) > 0.005
    }


def contents(goodoc: Goodoc) -> dict[str, list[tuple]]:
    marts = goodoc.query(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in"
        " ('core', 'marketing', 'tablet_usage', 'prescription', 'booking_flow') order by 1"
    )
    return {mart: goodoc.query(f"select * from {mart} order by all") for (mart,) in marts}

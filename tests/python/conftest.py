"""Fixtures: a laboratory for the loader, and a made-up company that several tests share."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from filelock import FileLock

import engines
import warm_dbt
from extract_load import LoadReport, load, read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse
from extract_load.loader.pseudonyms import PseudonymKey
from extract_load.loader.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parents[2]
KEY = PseudonymKey(b"a key for tests, 32 bytes long..")
FIGURES, MEDIA_FIGURES = yaml.safe_load_all(
    (Path(__file__).parent / "truth_figures.yml").read_text()
)


class Lab:
    """A folder with source declarations, a warehouse, and one call to load them.

    `place` says where the warehouse of the engine is: a DuckDB file or a URL.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, engine: str):
        self.folder = folder
        self.engine = engine
        self.sources = folder / "sources"
        self.files = folder / "files"
        self.database = folder / "shop.sqlite"
        self.warehouse = folder / "warehouse.duckdb"
        self.place = str(self.warehouse)
        environment = {"FILES": str(self.files), "SHOP": f"sqlite:///{self.database}"}
        if engine == "postgres":
            self.place = engines.postgres_server()
        elif engine == "bigquery":
            endpoint = engines.shared_bigquery()
            self.place = endpoint.url
            environment |= endpoint.environment
        self.sources.mkdir()
        self.files.mkdir()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        if engine == "bigquery":
            engines.empty_bigquery(self.place)

    def declare(self, text: str, name: str = "shop") -> Path:
        """Writes a declaration; `text` is dedented."""
        file = self.sources / f"{name}.yml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def load(self, **options: Any) -> LoadReport:
        with engines.open_warehouse(self.engine, self.place) as warehouse:
            key = options.pop("key", KEY)
            return load(
                read_sources(self.sources).values(),
                warehouse,
                self.folder / "landing",
                key,
                **options,
            )

    @cached_property
    def reader(self) -> Warehouse:
        """A connection beside the loader's, which a DuckDB file can't have."""
        return engines.open_warehouse(self.engine, self.place)

    def query(self, query: str) -> list[tuple[Any, ...]]:
        if self.engine != "duckdb":
            return self.reader.query(query)
        with duckdb.connect(str(self.warehouse)) as connection:
            return connection.execute(query).fetchall()

    def close(self) -> None:
        if "reader" in vars(self):
            self.reader.close()
            del self.reader
        if self.engine == "postgres":
            engines.drop_database(self.place)

    def ledger_balances(self) -> bool:
        """What the ledger says of each table: raw holds what was loaded, less what left it."""
        tables = self.query("select distinct source, table_name from raw_ledger.loads")
        for source, table in tables:
            ((loaded,),) = self.query(
                f"select sum(loaded_count) from raw_ledger.loads"
                f" where source = '{source}' and table_name = '{table}'"
            )
            ((replaced,),) = self.query(
                "select coalesce(sum(row_count), 0) from raw_ledger.moves"
                f" where kind in ('replaced', 'erased')"
                f" and source = '{source}' and table_name = '{table}'"
            )
            ((there,),) = self.query(f"select count(*) from raw_{source}.{table}")
            if loaded - replaced != there:
                return False
        return True


# which sources' databases are read on an engine
_SHOPS = {"duckdb": ("sqlite", "postgres"), "postgres": ("postgres",), "bigquery": ("sqlite",)}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Tests of one run parse the project once: workers inherit the folder for it."""
    if warm_dbt.FOLDER not in os.environ:
        folder = tempfile.mkdtemp(prefix="goodoc_parsed_")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ |= warm_dbt.environment(Path(folder))
    warm_dbt.share_parsed_projects()


def pytest_sessionfinish() -> None:
    """Ends what answers for companies; its threads would hold up the end of the process."""
    for company in list(_stand_ins):
        end_stand_in(company)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no worker is left alone with one at the end."""
    longest = ["test_parity.py", "test_windows.py", "test_company.py", "test_publish.py"]
    places = {name: place for place, name in enumerate(longest)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of loads run on both local engines, or on those that `on_engines` names."""
    names = getattr(metafunc.function, "engines", ("duckdb", "postgres"))
    if "shop" in metafunc.fixturenames:
        pairs = [(name, shop) for name in names for shop in _SHOPS[name]]
        metafunc.parametrize(("lab", "shop"), pairs, indirect=True)
    elif "lab" in metafunc.fixturenames:
        metafunc.parametrize("lab", names, indirect=True)


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    lab = Lab(tmp_path, monkeypatch, request.param)
    yield lab
    lab.close()


_stand_ins: dict[Path, ExitStack] = {}
_addresses: dict[Path, str] = {}


def stand_in(company: Path) -> str:
    """The address of the company's media, which answer from when they are first needed."""
    import simulator

    if company not in _addresses:
        _stand_ins[company] = ExitStack()
        _addresses[company] = _stand_ins[company].enter_context(simulator.serve(company))
    return _addresses[company]


def end_stand_in(company: Path) -> None:
    """No test asks this company's media any more."""
    if company in _addresses:
        del _addresses[company]
        _stand_ins.pop(company).close()


class Goodoc:
    """The command line as an operator calls it, in a home of its own."""

    company: Path | None = None
    media = False

    def __init__(self, home: Path):
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GOODOC_")},
            "GOODOC_HOME": str(home),
            "GOODOC_LOCK_WAIT": "0",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        if self.company and self.media:  # the company may have a new last day
            self.use(self.company, self.media)
        return subprocess.run(
            [sys.executable, "-c", "from goodoc.cli import main; main()", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            cwd=self.home.parent,
        )

    def use(self, company: Path, media: bool = False) -> "Goodoc":
        """Points every source at a simulated company.

        Its `media` that are asked over the web cost half a minute: without them their sources,
        which are optional, are passed over, and so are the figures that they make.
        """
        self.company, self.media = company, media
        for line in (company / "sources.env").read_text().splitlines():
            name, _, value = line.partition("=")
            if media or name.endswith("_DIR") or not name.startswith(("ADS_", "FX_")):
                self.environment[name] = value.strip("'\"")
        if media:
            self.environment["GOODOC_API_STAND_IN"] = stand_in(company)
        return self

    def query(self, query: str, database: str = "warehouse.duckdb") -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / database), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def goodoc(tmp_path: Path) -> Goodoc:
    return Goodoc(tmp_path / "home")


class RawWarehouse:
    """A DuckDB warehouse whose raw tables are written by hand, one load at a time."""

    def __init__(self, home: Path):
        self.home = home
        self.file = home / "warehouse.duckdb"
        with DuckDBWarehouse(self.file) as warehouse:
            for source in read_sources(PROJECT / "extract_load" / "sources").values():
                warehouse.prepare(source)
        shutil.copyfile(PROJECT / "profiles.example.yml", home / "profiles.yml")
        self.loads = 0
        self.line = 0

    def query(self, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(query, parameters).fetchall()

    def start_load(self, source: str, table: str) -> datetime:
        """When the next load, which is then `self.loads`, reads the table."""
        self.loads += 1
        at = datetime(2026, 7, 1) + timedelta(minutes=self.loads)
        self.query(
            "insert into raw_ledger.loads values (?, 'run', ?, ?, ?, 0, 0, 0, 0, 0, '')",
            [self.loads, source, table, at],
        )
        return at

    def build(self, model: str, *more: str) -> None:
        """The model and all that it reads, without tests; in an environment that names the home."""
        folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(self.home)]
        folders += ["--target-path", str(self.home / "target"), "--log-path", str(self.home)]
        kinds = ["--exclude-resource-type", "test", "unit_test"]
        command = ["--quiet", "build", *kinds, "--select", f"+{model}", *more, *folders]
        result = dbtRunner().invoke(command)
        DuckDBConnectionManager.close_all_connections()
        assert result.success, (result.exception, result.result and list(result.result))


DROPS = """\
source: drops
description: Dropped files.
reader: files
root: ${DROPS}
tables:
  rows:
    description: One row is a row.
    path: "*.csv"
    columns: {code: string none, amount: bigint none}
"""


@pytest.fixture
def drops(goodoc: Goodoc, tmp_path: Path) -> Path:
    """A company's own sources folder with one source without any model."""
    sources, folder = tmp_path / "sources", tmp_path / "drops"
    sources.mkdir()
    folder.mkdir()
    (sources / "drops.yml").write_text(DROPS)
    (folder / "a.csv").write_text("code,amount\n007,1\nx,y\n")
    goodoc.environment |= {"GOODOC_SOURCES": str(sources), "DROPS": str(folder)}
    return folder


@pytest.fixture(scope="session")
def small_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small company of three weeks, never changed: copy it to append days."""
    import simulator

    out = tmp_path_factory.mktemp("company") / "small"
    simulator.simulate(out, days=21, scale=0.02, seed=7)
    return out


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Goodoc:
    """A company with enough behaviour to analyse, loaded and built once: only to be read."""
    import simulator

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which all workers see
    out, home, is_built = (folder / "analysed" / name for name in ("company", "home", "is_built"))
    with FileLock(folder / "analysed.lock"):
        if is_built.exists():
            return Goodoc(home).use(out)
        simulator.simulate(out, days=45, scale=0.25, seed=11)
        goodoc = Goodoc(home).use(out)
        goodoc.home.mkdir()
        (goodoc.home / "pseudonym.key").write_text("k" * 32)
        for step in ("load", "build"):
            result = goodoc(step)
            assert result.returncode == 0, result.stderr
        is_built.touch()
    return goodoc


@pytest.fixture
def company(small_company: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the small company to do with as a test likes."""
    copy = tmp_path / "company"
    shutil.copytree(small_company, copy)
    environment = copy / "sources.env"
    environment.write_text(environment.read_text().replace(str(small_company), str(copy)))
    yield copy
    end_stand_in(copy)


def truth(company: Path) -> dict:
    return json.loads((company / "truth.json").read_text())


def differences(goodoc: Goodoc, company: Path) -> dict[str, tuple]:
    """Figure -> (truth, mart) where they differ; each figure has a query, each query a figure."""
    figures = truth(company)["figures"]
    assert set(figures) == {*FIGURES, *MEDIA_FIGURES}
    queries = FIGURES | MEDIA_FIGURES if goodoc.media else FIGURES
    found = {name: goodoc.query(query)[0][0] for name, query in queries.items()}
    return {
        name: (figures[name], value)
        for name, value in found.items()
        if value is None or abs(float(value) - figures[name]) > 0.005
    }


def contents(goodoc: Goodoc) -> dict[str, list[tuple]]:
    marts = goodoc.query(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in"
        " ('core', 'marketing', 'tablet_usage', 'prescription', 'booking_flow')"
        # each command is one more access
        " and table_name <> 'fct_accesses' order by 1"
    )
    return {mart: goodoc.query(f"select * from {mart} order by all") for (mart,) in marts}

"""One `dbt build` of everything, of a window, or of just what depends on some sources."""

import json
import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg

from extract_load import Source
from goodoc.settings import PROJECT, Settings

LEDGER_SOURCE = "raw_ledger"
# models that hold all others against each other: a build of a part would find them out of step
WHOLE = "whole_warehouse"
# progress and results come through callbacks; dbt's debug log would cost a tenth of the build
_QUIET = ("--log-level", "none", "--log-level-file", "info")


@dataclass
class BuildReport:
    """One build: nodes by status, and a line for each failure (test or model)."""

    passed: int = 0
    warned: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    marts: list[str] = field(default_factory=list)

    @property
    def green(self) -> bool:
        return not self.failures


class BuildError(Exception):
    """dbt could not even start; one line."""


def build(
    settings: Settings,
    sources: dict[str, Source],
    selected: Collection[str] = (),
    since: date | None = None,
    until: date | None = None,
    full_refresh: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Builds and tests the models; `progress(node, done, total)` is called as each ends.

    `selected` names sources: then only what depends on them is built, as far as all else that it
    needs was ever loaded. `since`/`until` are Korean days that incremental facts replace.
    The caller holds the writer lock.
    """
    _prepare(settings, sources)
    manifest = parse(settings)
    # unit tests prove the models, not the data: `make test` runs them
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    buildable = _buildable(settings, manifest, sources, selected)
    nodes = [
        node for node in buildable.values() if node.resource_type in ("model", "seed", "snapshot")
    ]
    if selected or len(nodes) < sum(
        n.resource_type in ("model", "seed") for n in manifest.nodes.values()
    ):
        if not nodes:
            raise BuildError(f"no model can be built from {', '.join(selected)} alone")
        names = sorted(node.name for node in nodes)
        arguments += ["--select", *names, "--indirect-selection", "buildable"]
    if full_refresh:
        arguments.append("--full-refresh")
    if since:
        window = {"since": since.isoformat(), "until": (until or since).isoformat()}
        arguments += ["--vars", json.dumps(window)]
    report = BuildReport(
        marts=sorted(n.name for n in nodes if n.resource_type == "model" and "marts" in n.fqn)
    )
    _run(settings, arguments, manifest, report, progress)
    _remember(settings, report)
    return report


def parse(settings: Settings) -> Manifest:
    """The project's manifest. Raises BuildError with dbt's first line where it doesn't parse."""
    _environment(settings)
    result = dbtRunner().invoke(["--quiet", "parse", *_folders(settings)])
    if not result.success or not isinstance(result.result, Manifest):
        raise BuildError(f"dbt can't read the project: {_first_line(result.exception)}")
    return result.result


def red_marts(settings: Settings) -> dict[str, str]:
    """Marts whose last build failed, with the reason. Missing file: nothing was built yet."""
    return {name: why for name, why in _state(settings).items() if why}


def built_marts(settings: Settings) -> list[str]:
    """Marts that were ever built, failed or not."""
    return sorted(_state(settings))


def _state(settings: Settings) -> dict[str, str]:
    file = settings.dbt / "marts.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def _remember(settings: Settings, report: BuildReport) -> None:
    why = "" if report.green else report.failures[0]
    state = _state(settings) | dict.fromkeys(report.marts, why)
    file = settings.dbt / "marts.json"
    file.with_suffix(".new").write_text(json.dumps(state, indent=1, ensure_ascii=False))
    file.with_suffix(".new").replace(file)


def _prepare(settings: Settings, sources: dict[str, Source]) -> None:
    """Raw tables of every declared source, empty where never loaded: so models can be built."""
    with settings.open_warehouse() as warehouse:
        for source in sources.values():
            warehouse.prepare(source)


def _buildable(
    settings: Settings, manifest: Manifest, sources: dict[str, Source], selected: Collection[str]
) -> dict[str, object]:
    """Nodes to build, by id: all whose sources are declared; or, with `selected`, what depends on
    these and on nothing that was never loaded, and whatever of its inputs isn't there yet."""
    origins = {key: _origins(key, manifest) for key in manifest.nodes}
    available = {f"raw_{name}" for name in sources} | {LEDGER_SOURCE}
    if not selected:
        return {key: manifest.nodes[key] for key, needs in origins.items() if needs <= available}
    wanted = {f"raw_{name}" for name in selected}
    with settings.open_warehouse(read_only=True) as warehouse:
        loaded = warehouse.query("select distinct source from raw_ledger.loads")
        available = wanted | {f"raw_{name}" for (name,) in loaded} | {LEDGER_SOURCE}
        relations = warehouse.relations()
    chosen = {
        key
        for key, needs in origins.items()
        if needs & wanted and needs <= available and WHOLE not in manifest.nodes[key].tags
    }
    for key in list(chosen):
        for parent in _ancestors(key, manifest):
            node = manifest.nodes.get(parent)
            if node and (node.schema, node.alias) not in relations:
                chosen.add(parent)
    return {key: manifest.nodes[key] for key in chosen}


def _ancestors(key: str, manifest: Manifest) -> set[str]:
    found: set[str] = set()
    waiting = [key]
    while waiting:
        node = manifest.nodes.get(waiting.pop())
        for parent in node.depends_on_nodes if node else []:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _origins(key: str, manifest: Manifest) -> set[str]:
    """The raw schemas that a node depends on in the end."""
    return {
        manifest.sources[parent].source_name
        for parent in _ancestors(key, manifest)
        if parent in manifest.sources
    }


def _run(
    settings: Settings,
    arguments: list[str],
    manifest: Manifest,
    report: BuildReport,
    progress: Callable[[str, int, int], None] | None,
) -> None:
    totals = {"LogModelResult": "total", "LogSeedResult": "total", "LogTestResult": "num_models"}

    def watch(event: EventMsg) -> None:
        if progress and event.info.name in totals:
            total = getattr(event.data, totals[event.info.name])
            progress(event.data.node_info.node_name, event.data.index, total)

    # what an earlier run left must not be taken for this one's result
    (settings.dbt / "run_results.json").unlink(missing_ok=True)
    _environment(settings)
    runner = dbtRunner(manifest=manifest, callbacks=[watch])
    try:
        result = runner.invoke(["--quiet", *_QUIET, *arguments, *_folders(settings)])
    finally:
        if settings.target == "duckdb":
            # dbt-duckdb keeps the file open for the process's life; the steps after this need it
            DuckDBConnectionManager.close_all_connections()
    if result.result is None:
        raise BuildError(f"dbt stopped: {_first_line(result.exception)}")
    for node in result.result.results:
        if node.node.resource_type == "operation":
            continue  # the project's hooks
        status = str(node.status)
        if status in ("error", "fail", "runtime error"):
            report.failures.append(_failure(node))
        elif status == "warn":
            report.warned += 1
        elif status == "skipped":
            report.skipped += 1
        else:
            report.passed += 1


def _failure(node: object) -> str:
    file = node.node.original_file_path
    if str(node.status) == "fail":
        return f"test {node.node.name} found {node.failures:,} bad rows ({file})"
    return (
        f"{node.node.resource_type} {node.node.name} failed: {_first_line(node.message)} ({file})"
    )


def _first_line(problem: object) -> str:
    lines = [line.strip() for line in str(problem or "no message").splitlines() if line.strip()]
    # dbt's first line only names the node; the engine's message follows it
    return lines[1] if len(lines) > 1 and " in " in lines[0] and "Error" in lines[0] else lines[0]


def _environment(settings: Settings) -> None:
    profile = settings.dbt / "profiles.yml"
    settings.dbt.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(PROJECT / "profiles.example.yml", profile)
    os.environ |= {
        "GOODOC_HOME": str(settings.home),
        "GOODOC_TARGET": settings.target,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **(settings.postgres.environment() if settings.postgres else {}),
    }


def _folders(settings: Settings) -> list[str]:
    return [
        "--project-dir", str(PROJECT),
        "--profiles-dir", str(settings.dbt),
        "--target-path", str(settings.dbt),
        "--log-path", str(settings.dbt / "logs"),
    ]  # fmt: skip

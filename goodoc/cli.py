"""`goodoc`: the operator's command. Errors are one line, say what to do, and exit non-zero."""

import json
import os
import secrets
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
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

from extract_load import DeclarationError, LoadReport, Source, TableReport, read_sources
from extract_load.loader.lock import LockedError
from extract_load.loader.pseudonyms import MissingKeyError
from extract_load.loader.warehouse import WarehouseError
from extract_load.readers import ReadError, database, files
from goodoc.settings import NoWarehouseError, Settings, SettingsError, from_environment

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)
quarantine_app = typer.Typer(
    no_args_is_help=True, help="Rejected rows, and a way to bring them in."
)
sources_app = typer.Typer(help="Lists the sources; `check` tries every declaration and connection.")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(sources_app, name="sources")

# Progress and messages go to stderr, results to stdout, so that --json can be piped.
out, err = Console(), Console(stderr=True, highlight=False)
if not out.is_terminal:
    out = Console(width=120)  # a log has no width to keep to

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable result on stdout.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[SOURCE]…", help="Source names; none: all.")
]
Day = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="A Korean day, included.")]


class Refused(Exception):
    """A call that can't be carried out; one line."""


def main() -> None:
    """Entry point: turns every expected failure into one line and an exit code."""
    os.umask(0o077)
    try:
        app()
    except (
        DeclarationError,
        LockedError,
        MissingKeyError,
        NoWarehouseError,
        Refused,
        SettingsError,
        WarehouseError,
    ) as error:
        err.print(f"goodoc: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("goodoc: stopped; run the same command again to go on")
        sys.exit(130)


# -- simulate ------------------------------------------------------------------------------------


@app.command()
def simulate(
    out_folder: Annotated[
        Path, typer.Option("--out", help="Where the source systems are written.")
    ],
    days: Annotated[int, typer.Option(min=1, help="Company days.")] = 90,
    scale: Annotated[
        float, typer.Option(min=0.001, help="1 is about a million events in 90 days.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    append_day: Annotated[
        bool, typer.Option("--append-day", help="Add the next day to a company.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Writes the source systems of a made-up company, and truth.json, the facts about them."""
    import simulator

    started = time.monotonic()
    try:
        with _bar() as bar:
            task = bar.add_task("company", total=1.0)

            def show(stage: str, done: float) -> None:
                bar.update(task, description=stage, completed=done)

            if append_day:
                truth = simulator.append_day(out_folder, progress=show)
            else:
                truth = simulator.simulate(out_folder, days, scale, seed, progress=show)
    except (ValueError, FileNotFoundError) as error:
        raise Refused(str(error)) from None
    key_file = _ensure_demo_key(from_environment())
    env_file = out_folder.absolute() / "sources.env"
    if as_json:
        _print_json({"out": str(out_folder), "rows": truth["rows"], "sources_env": str(env_file)})
        return
    rows = sum(truth["rows"].values())
    out.print(
        f"{rows:,} rows of {truth['days']} days in {time.monotonic() - started:.1f} s"
        f" → {out_folder}"
    )
    if key_file:
        out.print(f"made a pseudonym key for this demo: {key_file}")
    out.print(f"next: set -a; . {env_file}; set +a; goodoc run", soft_wrap=True)


def _ensure_demo_key(settings: Settings) -> Path | None:
    """A demo needs a key; a company brings its own. Never overwrites one."""
    if settings.key_file.exists():
        return None
    settings.key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.key_file.touch(mode=0o600)
    settings.key_file.write_text(secrets.token_hex(32))
    return settings.key_file


# -- setup, load, build, publish, run ------------------------------------------------------------


@app.command()
def setup(as_json: AsJson = False) -> None:
    """Prepares the target, once, as its administrator: Postgres' roles, BigQuery's datasets."""
    from goodoc.setup import SetupError, prepare_target

    settings, sources = _settings_and_sources()
    try:
        done = prepare_target(settings, sources)
    except SetupError as error:
        raise Refused(str(error)) from None
    if as_json:
        _print_json(done)
        return
    for line in done:
        out.print(line, markup=False, soft_wrap=True)


@app.command()
def load(
    names: Names = None, since: Day = None, until: Day = None, as_json: AsJson = False
) -> None:
    """Extract-load: copies what is new at the sources into raw tables, exactly once."""
    from goodoc.load import load_sources, writing

    settings, sources = _settings_and_sources()
    wanted = [sources[name] for name in _known(names, sources)]
    with writing(settings, "goodoc load", _say), _LoadProgress() as progress:
        report = load_sources(settings, wanted, _day(since), _day(until), progress=progress)
    _show_load(report, as_json)
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def build(
    since: Day = None,
    until: Day = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild facts from raw.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Builds and tests all models (dbt build), or the facts of a window of days."""
    from goodoc.build import BuildError
    from goodoc.build import build as build_models
    from goodoc.load import writing

    if until and not since:
        raise Refused("--until needs --since")
    settings, sources = _settings_and_sources()
    try:
        with writing(settings, "goodoc build", _say), _BuildProgress() as progress:
            report = build_models(
                settings,
                sources,
                since=_day(since),
                until=_day(until),
                full_refresh=full_refresh,
                progress=progress,
            )
    except BuildError as error:
        raise Refused(str(error)) from None
    _show_build(report, as_json)
    raise typer.Exit(0 if report.green else 1)


@app.command()
def publish(as_json: AsJson = False) -> None:
    """Makes the tested marts visible to readers, all in one step."""
    from goodoc.build import BuildError
    from goodoc.load import writing
    from goodoc.publish import PublishError
    from goodoc.publish import publish as publish_marts

    settings, _ = _settings_and_sources()
    try:
        with writing(settings, "goodoc publish", _say):
            marts = publish_marts(settings)
    except (BuildError, PublishError) as error:
        raise Refused(str(error)) from None
    if as_json:
        _print_json([vars(mart) for mart in marts])
    else:
        _show_marts(settings, marts)


@app.command()
def run(names: Names = None, as_json: AsJson = False) -> None:
    """Load, build and publish; with sources: only what depends on them."""
    from goodoc.build import BuildError
    from goodoc.load import writing
    from goodoc.run import run as run_all
    from goodoc.status import unaccounted_rows

    settings, sources = _settings_and_sources()
    selected = _known(names, sources) if names else []
    started = time.monotonic()
    try:
        with (
            writing(settings, "goodoc run", _say),
            _LoadProgress() as loading,
            _BuildProgress() as building,
        ):
            report = run_all(settings, sources, selected, loading, building)
    except BuildError as error:
        raise Refused(str(error)) from None
    # the balance is drawn over the whole warehouse, so not by a run of some sources
    unaccounted = None if selected else unaccounted_rows(settings)
    if as_json:
        _print_json(
            {
                "load": _load_dict(report.loaded),
                "build": vars(report.built),
                "published": [vars(mart) for mart in report.published],
                "why_not_published": report.why_not,
                "unaccounted_rows": unaccounted,
            }
        )
    else:
        _show_load(report.loaded, False)
        _show_build(report.built, False)
        if report.published:
            _show_marts(settings, report.published)
        if report.why_not:
            err.print(f"goodoc: {report.why_not}", markup=False, soft_wrap=True)
        if unaccounted is not None:
            out.print(f"row balance, source to marts: {unaccounted:,} rows unaccounted for")
        out.print(f"{time.monotonic() - started:.0f} s in all")
    raise typer.Exit(0 if report.green else 1)


# -- status, quarantine, sources -----------------------------------------------------------------


@app.command()
def status(as_json: AsJson = False) -> None:
    """Per table: last load, freshness, quarantine and the row balance from source to marts."""
    from goodoc.status import status as read_status

    settings, sources = _settings_and_sources()
    tables = read_status(settings, sources)
    if as_json:
        _print_json([table.as_dict() for table in tables])
        return
    grid = _grid("table", "loaded", ">live rows", ">quarantined", ">in marts", ">unaccounted")
    for table in tables:
        hours = table.hours_since_load
        age = (
            "never"
            if hours is None
            else f"{hours:.1f} h ago"
            if hours < 48
            else f"{hours / 24:.0f} days ago"
        )
        grid.add_row(
            f"{table.source}.{table.table}",
            age,
            *map(_number, (table.live, table.quarantined, table.in_marts, table.unaccounted)),
        )
    out.print(grid)
    for message in dict.fromkeys(f"{t.source}.{t.table}: {t.message}" for t in tables if t.message):
        out.print(message, markup=False, soft_wrap=True)
    rejected = sum(table.quarantined for table in tables)
    missing = sum(table.unaccounted or 0 for table in tables)
    out.print(
        f"{rejected:,} rows in quarantine (`goodoc quarantine list`),"
        f" {missing:,} rows unaccounted for"
    )


@quarantine_app.command("list")
def quarantine_list(as_json: AsJson = False) -> None:
    """How many rows were rejected, by table and reason."""
    rows = _query(
        "source, table_name, reason, row_count, first_file, first_line, last_at",
        """
        select source, table_name, reason, count(*) as row_count, min(file) as first_file,
            min(case when file = first_file then line end) as first_line,
            max(quarantined_at) as last_at
        from (
            select source, table_name, reason, file, line, quarantined_at,
                min(file) over (partition by source, table_name, reason) as first_file
            from raw_ledger.quarantine
        ) as rejected
        group by source, table_name, reason
        order by source, table_name, row_count desc, reason
        """,
    )
    if as_json:
        _print_json(rows)
        return
    grid = _grid("table", "reason", ">rows", "first at")
    for row in rows:
        place = f"{row['first_file']}:{row['first_line']}" if row["first_file"] else ""
        table = f"{row['source']}.{row['table_name']}"
        grid.add_row(table, row["reason"], _number(row["row_count"]), place)
    out.print(grid if rows else "nothing is in quarantine")


@quarantine_app.command("show")
def quarantine_show(
    source: str,
    table: str,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The rejected rows of a table, masked, with file, line and reason."""
    names = "file, line, row_key, reason, masked_row, quarantined_at"
    rows = _query(
        names,
        f"select {names} from raw_ledger.quarantine"
        f" where source = ? and table_name = ? order by file, line, row_key limit {limit}",
        [source, table],
    )
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        place = f"{row['file']}:{row['line']}" if row["file"] else f"key {row['row_key']}"
        out.print(f"{place}: {row['reason']}", markup=False, soft_wrap=True)
        if row["masked_row"]:
            out.print(f"    {row['masked_row']}", markup=False, soft_wrap=True)
    if not rows:
        out.print(f"nothing of {source}.{table} is in quarantine")


@quarantine_app.command("replay")
def quarantine_replay(names: Names = None, as_json: AsJson = False) -> None:
    """Reads the tables that have rejected rows again, after a fix at the source or in its YAML."""
    from goodoc.load import load_sources, writing

    settings, sources = _settings_and_sources()
    wanted = _known(names, sources)
    found = _query(
        "source, table_name", "select distinct source, table_name from raw_ledger.quarantine"
    )
    pairs = {(row["source"], row["table_name"]) for row in found if row["source"] in wanted}
    if not pairs:
        out.print("nothing is in quarantine")
        return
    narrowed = [
        source.model_copy(
            update={
                "tables": {
                    name: table
                    for name, table in source.tables.items()
                    if (source.source, name) in pairs
                }
            }
        )
        for source in sources.values()
        if source.source in {name for name, _ in pairs}
    ]
    with writing(settings, "goodoc quarantine replay", _say), _LoadProgress() as progress:
        report = load_sources(settings, narrowed, replay=pairs, progress=progress)
    ((left,),) = (
        row.values() for row in _query("left", "select count(*) from raw_ledger.quarantine")
    )
    _show_load(report, as_json)
    if not as_json:
        out.print(f"{left:,} rows are still in quarantine")
    raise typer.Exit(1 if report.failed else 0)


@sources_app.callback(invoke_without_command=True)
def sources_list(context: typer.Context, as_json: AsJson = False) -> None:
    """Lists the sources: reader, tables and where each is read from."""
    if context.invoked_subcommand:
        return
    _, sources = _settings_and_sources()
    if as_json:
        _print_json(
            [
                {
                    "source": s.source,
                    "reader": s.reader,
                    "place": s.place_as_declared,
                    "tables": list(s.tables),
                    "description": s.description,
                }
                for s in sources.values()
            ]
        )
        return
    grid = _grid("source", "reader", "read from", "tables", "description")
    for source in sources.values():
        grid.add_row(
            source.source,
            source.reader,
            source.place_as_declared,
            ", ".join(source.tables),
            source.description,
        )
    out.print(grid)


@sources_app.command("check")
def sources_check(as_json: AsJson = False) -> None:
    """Checks every declaration, connection and folder; names file and line of each mistake."""
    _, sources = _settings_and_sources()
    problems, notes = [], []
    for source in sources.values():
        try:
            source.place()
            if source.reader == "database":
                with database.connect(source) as connection:
                    for table in source.tables.values():
                        notes += [
                            f"{source.file}: {table.name}.{name} has no privacy class"
                            " and does not land"
                            for name in connection.undeclared(table)
                        ]
            else:
                for table in source.tables.values():
                    if not files.find(source, table):
                        notes.append(f"{source.file}: {table.name} finds no file yet")
        except DeclarationError as error:
            problems.append(str(error))
        except (ReadError, ValueError, OSError) as error:
            problems.append(f"{source.file}:{source.place_line}: {error}")
    if as_json:
        _print_json({"sources": len(sources), "problems": problems, "notes": notes})
    else:
        for line in (*problems, *notes):
            out.print(line, markup=False, soft_wrap=True)
        if not problems:
            out.print(f"{len(sources)} sources are well declared and reachable")
    raise typer.Exit(1 if problems else 0)


# -- shared by the commands ----------------------------------------------------------------------


def _settings_and_sources() -> tuple[Settings, dict[str, Source]]:
    settings = from_environment()
    return settings, read_sources(settings.sources)


def _known(names: list[str] | None, sources: dict[str, Source]) -> list[str]:
    for name in names or []:
        if name not in sources:
            raise Refused(f"there is no source {name}: `goodoc sources` lists {', '.join(sources)}")
    return names or list(sources)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(f"{text!r} is no day: write it as 2026-08-29") from None


def _query(names: str, query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """Rows of the ledger as dictionaries; `names` are the query's columns, in order."""
    with from_environment().open_warehouse(read_only=True) as warehouse:
        rows = warehouse.query(query, parameters or [])
    return [dict(zip(names.split(", "), row, strict=True)) for row in rows]


def _say(text: str) -> None:
    err.print(text, style="dim", markup=False)


def _bar() -> Progress:
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


class _LoadProgress:
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

    def __enter__(self) -> "_LoadProgress":
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


class _BuildProgress:
    """Nodes done of all nodes while dbt builds."""

    def __init__(self) -> None:
        self.progress = _bar()
        self.task: Any = None

    def __enter__(self) -> "_BuildProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, node: str, done: int, total: int) -> None:
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task("build", total=total)
        self.progress.update(self.task, description=f"build {node}", completed=done, total=total)


def _grid(*headers: str) -> Grid:
    """A table; a header that starts with > is right-aligned."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        right = header[0] == ">"
        grid.add_column(
            header.removeprefix(">"), justify="right" if right else "left", no_wrap=right
        )
    return grid


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _load_dict(report: LoadReport) -> dict[str, Any]:
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
        ],
    }


def _show_load(report: LoadReport, as_json: bool) -> None:
    if as_json:
        _print_json(_load_dict(report))
        return
    grid = _grid("table", ">read", ">loaded", ">quarantined", ">suppressed", ">vanished", ">rows/s")
    for table in report.tables:
        c = table.counts
        speed = f"{c.read / table.seconds:,.0f}" if c.read and table.seconds else ""
        grid.add_row(
            f"{table.source}.{table.table}",
            *map(_number, (c.read, c.loaded, c.quarantined, c.suppressed, c.vanished)),
            speed,
        )
    out.print(grid)
    for table in report.tables:
        for note in table.notes:
            err.print(f"{table.source}.{table.table}: {note}", markup=False, soft_wrap=True)
        if table.error:
            err.print(
                f"goodoc: {table.source}.{table.table}: {table.error}", markup=False, soft_wrap=True
            )


def _show_build(report: Any, as_json: bool) -> None:
    if as_json:
        _print_json(vars(report))
        return
    out.print(
        f"build: {report.passed:,} passed, {report.warned:,} warned,"
        f" {len(report.failures):,} failed, {report.skipped:,} skipped"
    )
    for failure in report.failures:
        err.print(f"goodoc: {failure}", markup=False, soft_wrap=True)


def _show_marts(settings: Settings, marts: list[Any]) -> None:
    grid = _grid("mart", "model", ">rows")
    for mart in marts:
        grid.add_row(mart.schema, mart.name, _number(mart.rows))
    out.print(grid)
    if settings.target == "duckdb":
        out.print(f"published: {settings.published / 'marts.duckdb'}", soft_wrap=True)
        out.print(f"           {settings.published / 'parquet'}", soft_wrap=True)
        return
    places = dict.fromkeys(f"published_{mart.schema}" for mart in marts)
    out.print(f"published: {', '.join(places)}", soft_wrap=True)


def _print_json(value: Any) -> None:
    def text(item: object) -> str:
        return item.isoformat() if isinstance(item, (date, datetime)) else str(item)

    sys.stdout.write(json.dumps(value, default=text, ensure_ascii=False, indent=1) + "\n")

"""`goodoc`: the operator's command. Errors are one line, say what to do, and exit non-zero."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from extract_load import DeclarationError, Source, read_sources
from extract_load.check import check
from extract_load.loader.lock import LockedError
from extract_load.loader.pseudonyms import MissingKeyError
from extract_load.loader.warehouse import WarehouseError
from goodoc import show
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
        show.err.print(f"goodoc: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        show.err.print("goodoc: stopped; run the same command again to go on")
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
    serve: Annotated[
        bool, typer.Option("--serve", help="Run COMMAND, or a shell, on a company that is there.")
    ] = False,
    command: Annotated[list[str] | None, typer.Argument(help="What --serve runs.")] = None,
    as_json: AsJson = False,
) -> None:
    """Writes the source systems of a made-up company, and truth.json, the facts about them.

    With --serve, its web APIs answer on this machine and its variables are set while COMMAND runs.
    """
    import simulator

    if serve:
        raise typer.Exit(_serve(out_folder, command or [os.environ.get("SHELL", "sh")]))
    if command:
        raise Refused(f"{command[0]!r} is what --serve runs: there is no --serve")
    started = time.monotonic()
    try:
        with show.bar() as bar:
            task = bar.add_task("company", total=1.0)

            def tell(stage: str, done: float) -> None:
                bar.update(task, description=stage, completed=done)

            if append_day:
                truth = simulator.append_day(out_folder, progress=tell)
            else:
                truth = simulator.simulate(out_folder, days, scale, seed, progress=tell)
    except (ValueError, FileNotFoundError) as error:
        raise Refused(str(error)) from None
    key_file = _ensure_demo_key(from_environment())
    env_file = out_folder.absolute() / "sources.env"
    if as_json:
        show.print_json(
            {"out": str(out_folder), "rows": truth["rows"], "sources_env": str(env_file)}
        )
        return
    rows = sum(truth["rows"].values())
    show.out.print(
        f"{rows:,} rows of {truth['days']} days in {time.monotonic() - started:.1f} s"
        f" → {out_folder}"
    )
    if key_file:
        show.out.print(f"made a pseudonym key for this demo: {key_file}")
    show.out.print(f"next: goodoc simulate --out {out_folder} --serve goodoc run", soft_wrap=True)


def _serve(company: Path, command: list[str]) -> int:
    """Runs a command beside the web APIs of a company; its exit code."""
    import simulator

    try:
        variables = simulator.variables(company)
        with simulator.serve(company) as url:
            variables["GOODOC_API_STAND_IN"] = url
            return subprocess.run(command, env=os.environ | variables).returncode
    except (ValueError, FileNotFoundError) as error:
        raise Refused(str(error)) from None


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
    from goodoc.load import record_access
    from goodoc.setup import SetupError, prepare_target

    settings, sources = _settings_and_sources()
    try:
        done = prepare_target(settings, sources)
    except SetupError as error:
        raise Refused(str(error)) from None
    if settings.target != "duckdb":
        record_access(settings, "goodoc setup", "roles, schemas and grants", "done")
    if as_json:
        show.print_json(done)
        return
    for line in done:
        show.out.print(line, markup=False, soft_wrap=True)


@app.command()
def load(
    names: Names = None, since: Day = None, until: Day = None, as_json: AsJson = False
) -> None:
    """Extract-load: copies what is new at the sources into raw tables, exactly once."""
    from goodoc.load import load_sources, writing

    settings, sources = _settings_and_sources()
    wanted = [sources[name] for name in _known(names, sources)]
    days = (_day(since), _day(until))
    scope = _scope([source.source for source in wanted], *days)
    with writing(settings, "goodoc load", scope, show.say) as access:
        with show.LoadProgress() as progress:
            report = load_sources(settings, wanted, *days, progress=progress)
        access.outcome = "failed" if report.failed else "done"
    show.load(report, as_json)
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
        days = (_day(since), _day(until))
        with writing(settings, "goodoc build", _scope([], *days), show.say) as access:
            with show.BuildProgress() as progress:
                report = build_models(
                    settings,
                    sources,
                    since=days[0],
                    until=days[1],
                    full_refresh=full_refresh,
                    progress=progress,
                )
            access.outcome = "done" if report.green else "failed"
    except BuildError as error:
        raise Refused(str(error)) from None
    show.build(report, as_json)
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
        with writing(settings, "goodoc publish", "published marts", show.say):
            marts = publish_marts(settings)
    except (BuildError, PublishError) as error:
        raise Refused(str(error)) from None
    if as_json:
        show.print_json([vars(mart) for mart in marts])
    else:
        show.marts(settings, marts)


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
        with writing(settings, "goodoc run", _scope(selected), show.say) as access:
            with show.LoadProgress() as loading, show.BuildProgress() as building:
                report = run_all(settings, sources, selected, loading, building)
            access.outcome = "done" if report.green else "failed"
    except BuildError as error:
        raise Refused(str(error)) from None
    # the balance is drawn over the whole warehouse, so not by a run of some sources
    unaccounted = None if selected else unaccounted_rows(settings)
    if as_json:
        show.print_json(
            {
                "load": show.load_dict(report.loaded),
                "build": vars(report.built),
                "published": [vars(mart) for mart in report.published],
                "why_not_published": report.why_not,
                "unaccounted_rows": unaccounted,
            }
        )
    else:
        show.load(report.loaded, False)
        show.build(report.built, False)
        if report.published:
            show.marts(settings, report.published)
        if report.why_not:
            show.err.print(f"goodoc: {report.why_not}", markup=False, soft_wrap=True)
        if unaccounted is not None:
            show.out.print(f"row balance, source to marts: {unaccounted:,} rows unaccounted for")
        show.out.print(f"{time.monotonic() - started:.0f} s in all")
    raise typer.Exit(0 if report.green else 1)


@app.command()
def erase(
    members: Annotated[
        list[str] | None,
        typer.Option("--member", help="A member's id at the source; may be repeated."),
    ] = None,
    requested: Annotated[
        bool, typer.Option("--requested", help="Whoever asks for it in what was loaded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erases people everywhere, and keeps them out of later loads. Can't be undone."""
    from goodoc.build import BuildError
    from goodoc.erase import erase as erase_people
    from goodoc.load import writing
    from goodoc.publish import PublishError

    if not (members or requested):
        raise Refused("whom? Say --member ID, or --requested")
    settings, sources = _settings_and_sources()
    people = [f"{len(members)} {'person' if len(members) == 1 else 'people'}"] if members else []
    people += ["whoever asks for it"] if requested else []
    try:
        with writing(settings, "goodoc erase", " and ".join(people), show.say) as access:
            with show.BuildProgress() as progress:
                report = erase_people(settings, sources, members or (), requested, progress)
            if report.built and not report.built.green:
                access.outcome = "failed"
    except (BuildError, PublishError) as error:
        raise Refused(f"raw is free of them, the published copy is not: {error}") from None
    built = report.built
    if as_json:
        show.print_json(
            {"people": report.people, "rows": report.rows, "build": built and vars(built)}
        )
    elif built:
        show.out.print(f"{report.people:,} people: {report.rows:,} rows erased from raw")
        show.build(built, False)
    else:
        show.out.print("nobody asks to be erased")
    _refuse_red(built)


def _refuse_red(built: Any) -> None:
    if built and not built.green:
        raise Refused(
            "raw is free of them, the published copy is not: mend the build, then"
            " `goodoc build --full-refresh` and `goodoc publish`"
        )


@app.command()
def expire(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    most: Annotated[
        bool, typer.Option("--most", help="Also where most of a table would go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drops what is past its table's period of retention, everywhere, and keeps it out."""
    from goodoc.build import BuildError
    from goodoc.expire import ExpireError
    from goodoc.expire import expire as drop_expired
    from goodoc.load import writing
    from goodoc.publish import PublishError

    settings, sources = _settings_and_sources()
    try:
        scope = "a trial" if dry_run else "rows past their period"
        with writing(settings, "goodoc expire", scope, show.say) as access:
            with show.BuildProgress() as progress:
                report = drop_expired(settings, sources, dry_run, most, progress)
            if report.built and not report.built.green:
                access.outcome = "failed"
    except ExpireError as error:
        raise Refused(str(error)) from None
    except (BuildError, PublishError) as error:
        raise Refused(f"raw is free of them, the published copy is not: {error}") from None
    show.expiries(report, dry_run, as_json)
    _refuse_red(report.built)


@app.command()
def export(
    what: Annotated[
        str, typer.Argument(help="recommendations, ranking, audience or prescription_quality.")
    ],
    to: Annotated[str, typer.Option(help="A folder, or postgresql://… of the app.")],
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Of an audience: region=, born=, category=; of figures: region=, month=;"
            " may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hands the app recommendations, the ranking or an audience; who withdrew is left out.

    And figures to whoever is outside the company: none of few people.
    """
    from goodoc.export import ExportError, parse_rules, place_of
    from goodoc.export import export as export_rows
    from goodoc.load import writing

    settings = from_environment()
    try:
        wanted = parse_rules(what, where or [])
        scope = f"{wanted} to {place_of(to)}"
        with writing(settings, f"goodoc export {what}", scope, show.say), show.bar() as bar:
            task = bar.add_task(f"export {what}", total=None)
            report = export_rows(
                settings,
                wanted,
                to,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    except ExportError as error:
        raise Refused(str(error)) from None
    if as_json:
        show.print_json(vars(report))
    else:
        show.out.print(f"{report.rows:,} rows → {report.place}", markup=False, soft_wrap=True)
        show.out.print(f"version {report.version}, {report.consent}", soft_wrap=True)


# -- status, quarantine, sources -----------------------------------------------------------------


@app.command()
def status(as_json: AsJson = False) -> None:
    """Per table: last load, freshness, quarantine and the row balance from source to marts."""
    from goodoc.status import status as read_status

    settings, sources = _settings_and_sources()
    tables = read_status(settings, sources)
    if as_json:
        show.print_json([table.as_dict() for table in tables])
        return
    grid = show.grid("table", "loaded", ">live rows", ">quarantined", ">in marts", ">unaccounted")
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
            *map(show.number, (table.live, table.quarantined, table.in_marts, table.unaccounted)),
        )
    show.out.print(grid)
    for message in dict.fromkeys(f"{t.source}.{t.table}: {t.message}" for t in tables if t.message):
        show.out.print(message, markup=False, soft_wrap=True)
    for table in tables:
        if table.is_stale:
            allowed = sources[table.source].tables[table.table].fresh_within
            show.out.print(
                f"{table.source}.{table.table}: stale, its last load is older than {allowed}",
                markup=False,
                soft_wrap=True,
            )
    rejected = sum(table.quarantined for table in tables)
    missing = sum(table.unaccounted or 0 for table in tables)
    show.out.print(
        f"{rejected:,} rows in quarantine (`goodoc quarantine list`),"
        f" {missing:,} rows unaccounted for"
    )


@app.command()
def extract(
    mart: Annotated[str, typer.Argument(help="A restricted mart, as in fct_prescriptions.")],
    to: Annotated[Path, typer.Option(help="A Parquet file.")],
    reason: Annotated[str, typer.Option(help="What for; goes on record.")],
    outside: Annotated[
        bool, typer.Option("--outside", help="For outside the company: larger groups.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hands people's rows to somebody with clearance: no pseudonyms, nobody alone in a group."""
    from goodoc.build import BuildError
    from goodoc.extract import ExtractError
    from goodoc.extract import extract as extract_rows
    from goodoc.load import writing

    settings = from_environment()
    try:
        with writing(settings, f"goodoc extract {mart}", reason, show.say), show.bar() as bar:
            task = bar.add_task(mart, total=1.0)
            report = extract_rows(
                settings,
                mart,
                to.absolute(),
                reason,
                "outside" if outside else "inside",
                lambda done, total: bar.update(task, completed=done, total=max(total, 1)),
            )
    except (BuildError, ExtractError) as error:
        raise Refused(str(error)) from None
    if as_json:
        show.print_json(vars(report))
        return
    show.out.print(
        f"{report.rows:,} of {report.total:,} rows → {report.place}; each group has"
        f" {report.smallest_group} people or more, {report.generalised:,} rows are told without"
        " their district",
        soft_wrap=True,
    )


@app.command()
def privacy(as_json: AsJson = False) -> None:
    """Writes the privacy catalogue: each column, its class, who may read it, how long it stays."""
    from goodoc.build import BuildError
    from goodoc.catalogue import write_catalogue

    settings, sources = _settings_and_sources()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        file = write_catalogue(settings, sources)
    except BuildError as error:
        raise Refused(str(error)) from None
    if as_json:
        show.print_json({"file": str(file)})
    else:
        show.out.print(f"open {file}", soft_wrap=True)


@app.command("access")
def access_log(
    limit: Annotated[int, typer.Option(min=1, help="At most so many records.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Who had what done to which data, newest first."""
    names = "happened_at, actor, host, command, scope, outcome"
    rows = _query(
        names,
        f"select {names} from raw_ledger.access_log order by happened_at desc limit {limit}",
    )
    if as_json:
        show.print_json(rows)
        return
    grid = show.grid("when (UTC)", "who", "where", "what", "which data", "outcome")
    for row in rows:
        when = row["happened_at"].isoformat(" ", "seconds")
        grid.add_row(when, *(str(value) for value in list(row.values())[1:]))
    show.out.print(grid)


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
        show.print_json(rows)
        return
    grid = show.grid("table", "reason", ">rows", "first at")
    for row in rows:
        place = f"{row['first_file']}:{row['first_line']}" if row["first_file"] else ""
        table = f"{row['source']}.{row['table_name']}"
        grid.add_row(table, row["reason"], show.number(row["row_count"]), place)
    show.out.print(grid if rows else "nothing is in quarantine")


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
        show.print_json(rows)
        return
    for row in rows:
        place = f"{row['file']}:{row['line']}" if row["file"] else f"key {row['row_key']}"
        show.out.print(f"{place}: {row['reason']}", markup=False, soft_wrap=True)
        if row["masked_row"]:
            show.out.print(f"    {row['masked_row']}", markup=False, soft_wrap=True)
    if not rows:
        show.out.print(f"nothing of {source}.{table} is in quarantine")


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
        show.out.print("nothing is in quarantine")
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
    scope = _scope(sorted(f"{source}.{table}" for source, table in pairs))
    with writing(settings, "goodoc quarantine replay", scope, show.say) as access:
        with show.LoadProgress() as progress:
            report = load_sources(settings, narrowed, replay=pairs, progress=progress)
        access.outcome = "failed" if report.failed else "done"
    ((left,),) = (
        row.values() for row in _query("left", "select count(*) from raw_ledger.quarantine")
    )
    show.load(report, as_json)
    if not as_json:
        show.out.print(f"{left:,} rows are still in quarantine")
    raise typer.Exit(1 if report.failed else 0)


@sources_app.callback(invoke_without_command=True)
def sources_list(context: typer.Context, as_json: AsJson = False) -> None:
    """Lists the sources: reader, tables and where each is read from."""
    if context.invoked_subcommand:
        return
    _, sources = _settings_and_sources()
    if as_json:
        show.print_json(
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
    grid = show.grid("source", "reader", "read from", "tables", "description")
    for source in sources.values():
        grid.add_row(
            source.source,
            source.reader,
            source.place_as_declared,
            ", ".join(source.tables),
            source.description,
        )
    show.out.print(grid)


@sources_app.command("check")
def sources_check(as_json: AsJson = False) -> None:
    """Checks every declaration, connection and folder; names file and line of each mistake."""
    _, sources = _settings_and_sources()
    problems, notes = [], []
    for source in sources.values():
        for finding in check(source):
            (problems if finding.is_mistake else notes).append(finding.text)
    if as_json:
        show.print_json({"sources": len(sources), "problems": problems, "notes": notes})
    else:
        for line in (*problems, *notes):
            show.out.print(line, markup=False, soft_wrap=True)
        if not problems:
            show.out.print(f"{len(sources)} sources are well declared and reachable")
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


def _scope(parts: Sequence[str], since: date | None = None, until: date | None = None) -> str:
    """What a command works on, for the access log."""
    days = f", {since or '…'} to {until or 'now'}" if since or until else ""
    return (", ".join(parts) or "everything") + days


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

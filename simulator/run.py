"""Make a company, or its next day."""

import json
import shlex
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb

from simulator import app_db, company, dirt, drugs, dur, streams, truth
from simulator.files import Tally
from simulator.media import apis, catalogue, drops
from simulator.media.figures import Books, Figures
from simulator.world import World, add_calendar, literal, open_state, run

Progress = Callable[[str, float], None]

STATE = "company.duckdb"
_FOLDERS = {
    "APP_EVENTS_DIR": "app_events",
    "CLINIC_DEVICES_DIR": "clinic_devices",
    "FLOW_EVENTS_DIR": "flow_events",
    "EMR_LINKS_DIR": "emr_links",
    "PAYMENTS_PG_DIR": "payments_pg",
    "ADS_DROPS_DIR": "ads_drops",
    "MARKETING_PLAN_DIR": "marketing_plan",
    "HIRA_DRUG_PRICE_DIR": "hira",
    "HIRA_REGISTRY_DIR": "hira_registry",
    "MFDS_DUR_DIR": "mfds_dur",
}
_MORNINGS = 30  # of which the media's figures are in memory at a time
# Folders of companies that were made when these media still dropped files.
_FORMER = ("ads_naver_sa", "ads_kakao_moment", "ads_google_ads")
_FILES = (STATE, f"{STATE}.wal", "truth.json", "sources.env", "app_db", ".spill")


def simulate(
    out: Path,
    days: int = 90,
    scale: float = 1.0,
    seed: int = 1,
    start: date = date(2026, 6, 1),
    progress: Progress | None = None,
) -> dict:
    """Write the source systems of a made-up company and the truth about them into `out`.

    `days` company days (KST) from `start`; `scale` 1 is about a million app events in 90 days.
    The same arguments give the same bytes. A company that is in `out` already is replaced; any
    other content is refused with a ValueError. Returns the truth, as in truth.json.
    `progress` is called with the stage's name and the share of all work that is done.
    """
    if days < 1 or scale <= 0 or seed < 0:
        raise ValueError("a company needs at least one day, a scale above 0 and a seed from 0 on")
    out = Path(out).resolve()
    _clear(out)
    last = start + timedelta(days=days - 1)
    world = World(seed=seed, scale=scale, start=start, first=start, last=last)
    return _run(out, world, progress)


def append_day(out: Path, progress: Progress | None = None) -> dict:
    """Make the next day of the company in `out`; returns the new truth.

    New files are added and the product database is brought up to date in one transaction; files
    that exist stay as they are. ValueError when `out` holds no company.
    """
    out = Path(out).resolve()
    if not (out / STATE).is_file():
        raise ValueError(f"{out} holds no simulated company: make one with simulate first")
    with duckdb.connect(str(out / STATE), read_only=True) as con:
        seed, scale, start, last = run(con, "select seed, scale, start, last from made")[0]
    tomorrow = last + timedelta(days=1)
    world = World(seed=seed, scale=scale, start=start, first=tomorrow, last=tomorrow)
    return _run(out, world, progress)


def variables(out: Path) -> dict[str, str]:
    """The environment in which the sources are those of the company in `out`.

    ValueError when `out` holds no company.
    """
    file = Path(out).resolve() / "sources.env"
    if not file.is_file():
        raise ValueError(f"{out} holds no simulated company: make one with simulate first")
    lines = (shlex.split(line)[0] for line in file.read_text(encoding="utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines)


def _clear(out: Path) -> None:
    """Make `out` an empty folder; refuse to touch what this program hasn't made."""
    ours = {*_FILES, *_FOLDERS.values(), *_FORMER}
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is not a folder")
    content = sorted(p.name for p in out.iterdir()) if out.exists() else []
    if content and (STATE not in content or not set(content) <= ours):
        raise ValueError(f"{out} is not empty and not a simulated company: choose another folder")
    for name in content:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    out.mkdir(parents=True, exist_ok=True)


def _run(out: Path, world: World, progress: Progress | None) -> dict:
    say = progress or (lambda stage, done: None)
    spill = out / ".spill"
    con = open_state(out / STATE, spill, world.seed)
    try:
        # The state is one transaction, so a day that fails half-way can be made again.
        run(con, "begin")
        result = _make(con, out, world, say)
        run(con, "commit")
    finally:
        con.close()
        shutil.rmtree(spill, ignore_errors=True)
    (out / "truth.json").write_text(
        json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    say("done", 1.0)
    return result


def _make(con: duckdb.DuckDBPyConnection, out: Path, world: World, say: Progress) -> dict:
    say("company", 0.0)
    if world.is_founding:
        add_calendar(con, world)
        company.found(con, world)
    else:
        company.change_clinics(con, world)
    drugs.add_price_lists(con, world)
    company.live(con, world)
    dirt.plant(con, world)
    app_db.set_clock(con, world)
    tally = Tally(con)
    say("reference data", 0.25)
    drugs.write_price_lists(con, world, out / "hira", tally)
    if world.is_founding:
        drugs.write_atc_codes(con, world, out / "hira", tally)
        drugs.write_drug_items(con, world, out / "hira", tally)
        dur.write_lists(con, out / "mfds_dur", tally)
        drugs.write_registry(con, world, out / "hira_registry", tally)
    say("ads", 0.3)
    _write_drops(world, out, tally)
    say("settlements", 0.35)
    streams.write_settlements(con, world, out / "payments_pg", tally)
    streams.write_emr_logs(con, world, out / "emr_links", tally)
    say("flow events", 0.4)
    streams.write_flow_events(con, world, out / "flow_events", tally)
    say("device telemetry", 0.5)
    streams.write_telemetry(con, world, out / "clinic_devices", tally)
    say("app events", 0.55)
    streams.write_app_events(
        con,
        world,
        out / "app_events",
        tally,
        lambda done: say("app events", round(0.55 + 0.3 * done, 3)),
    )
    say("product database", 0.85)
    app_db_rows = app_db.write(con, world, out / "app_db" / "app.sqlite")
    say("truth", 0.97)
    result = truth.tell(con, world, tally, app_db_rows)
    tally.save()
    run(
        con,
        f"create or replace table made as select {world.seed}::bigint as seed, "
        f"{world.scale}::double as scale, {literal(world.start)} as start, "
        f"{literal(world.last)} as last",
    )
    _write_environment(out, world)
    return result


def _write_drops(world: World, out: Path, tally: Tally) -> None:
    """The files of media without an API: what is known on the morning after each day."""
    kept: dict[date, Figures] = {}

    def books_on(morning: date) -> Books:
        first = world.first + (morning - world.first).days // _MORNINGS * timedelta(days=_MORNINGS)
        if first not in kept:
            while kept:
                kept.popitem()[1].close()
            mornings = [first + timedelta(days=n) for n in range(_MORNINGS)]
            kept[first] = Figures(world.seed, world.scale, world.start, mornings, window=True)
        return Books(kept[first], morning)

    drops.write(world, out, tally, books_on)


def _write_environment(out: Path, world: World) -> None:
    values = {"APP_DB_URL": f"sqlite:///{out}/app_db/app.sqlite"}
    values |= {name: str(out / folder) for name, folder in _FOLDERS.items()}
    values["GOODOC_TODAY"] = (world.last + timedelta(days=1)).isoformat()
    values["ADS_SINCE"] = world.start.isoformat()
    for name, module in apis.modules().items():
        medium = catalogue.MEDIA.get(name)
        prefix = medium.variables if medium else name.upper()
        values |= {f"{prefix}_{key}": value for key, value in module.VARIABLES.items()}
        if medium:
            accounts = catalogue.accounts(name)
            values[f"{prefix}_ACCOUNTS"] = ",".join(account.account_id for account in accounts)
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    (out / "sources.env").write_text("\n".join(lines) + "\n", encoding="utf-8")

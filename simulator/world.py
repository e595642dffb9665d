"""The state database of a company: its clock, seeded randomness, calendar and code tables."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from simulator import reference

KST = timedelta(hours=9)
CALENDAR_BEFORE, CALENDAR_AFTER = 800, 1500  # days around the start that the calendar covers


@dataclass(frozen=True)
class World:
    """What one run makes: company days `first` to `last` (KST) of the company `seed`, `scale`."""

    seed: int
    scale: float
    start: date
    first: date
    last: date

    @property
    def days(self) -> int:
        """Days of the company so far."""
        return (self.last - self.start).days + 1

    @property
    def is_founding(self) -> bool:
        """Whether this run makes the company from nothing."""
        return self.first == self.start

    @property
    def before(self) -> datetime:
        """End of the day before `first` (UTC); the beginning of time for a new company."""
        return datetime(1900, 1, 1) if self.is_founding else utc_midnight(self.first)

    @property
    def now(self) -> datetime:
        """End of the last company day (UTC)."""
        return utc_midnight(self.last + timedelta(days=1))

    def count(self, at_scale_one: float, least: int = 1) -> int:
        """A number of things that grows with the company's scale."""
        return max(least, round(at_scale_one * self.scale))


def utc_midnight(day: date) -> datetime:
    """The instant (naive UTC) at which a KST day begins."""
    return datetime(day.year, day.month, day.day) - KST


def literal(value: object) -> str:
    """A Python value as a SQL literal."""
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return "null" if value is None else str(value)


def run(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    """Run one statement and return its rows."""
    return con.execute(sql).fetchall()


def scalar(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The single value of a query."""
    return run(con, sql)[0][0]


def next_id(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """The highest id in use in a state table (0 when it is empty)."""
    return scalar(con, f"select coalesce(max(id), 0) from {table}")


def open_state(path: Path, spill: Path, seed: int) -> duckdb.DuckDBPyConnection:
    """Open a company's state, with bounded memory and the macros of `add_macros`.

    Two threads keep results independent of the machine: every query orders by a full key.
    """
    con = duckdb.connect(
        str(path),
        config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(spill)},
    )
    add_macros(con, seed)
    return con


def add_macros(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    """The macros that make seeded randomness."""
    # Nibbles that are always letters keep every run of digits short: no identifier of ours can
    # look like a resident registration number. The others make the shape of a version-4 UUID.
    keep, letters, tail = 0xFFFFFFFFFFFF0FFF, 0xA000A000A0004A00, 0xB000A000A000A000
    for macro in (
        # The outer hash mixes: DuckDB combines several values by little more than an XOR.
        f"draw(salt, id) as hash(hash({seed}::bigint, salt, id))",
        "rnd(salt, id) as (draw(salt, id) >> 11)::double / 9007199254740992.0",
        f"code(salt, id) as md5('{seed}' || salt || id::varchar)",
        "pick(items, u) as items[1 + floor(u * len(items))::bigint]",
        f"head(h) as lower(to_hex((h & {keep}::ubigint) | {letters}::ubigint))",
        f"tail(h) as lower(to_hex((h >> 4) | {tail}::ubigint))",
        "uuid_of(a, b) as concat(substr(a, 1, 8), '-', substr(a, 9, 4), '-', substr(a, 13, 4), "
        "'-', substr(b, 1, 4), '-', substr(b, 5, 12))",
        "ident(salt, id) as uuid_of(head(draw(salt, id)), tail(hash(draw(salt, id))))",
        "token(salt, id) as concat('Cj', to_hex(draw(salt, id)"
        f" | {letters}::ubigint), 'wE', head(hash(draw(salt, id))))",
        "json_number(x) as coalesce(x::varchar, 'null')",
        "json_text(x) as coalesce('\"' || x || '\"', 'null')",
        "plus(t, seconds) as t + to_milliseconds((seconds * 1000)::bigint)",
        "kst_day(t) as (t + interval 9 hour)::date",
        "midnight(day) as day::timestamp - interval 9 hour",
        "iso(t) as strftime(t, '%Y-%m-%dT%H:%M:%S.%fZ')",
        "db_time(t) as strftime(t, '%Y-%m-%d %H:%M:%S.%f')",
    ):
        run(con, f"create or replace temp macro {macro}")


def add_calendar(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """One row a KST day: weights of clinic and app activity and the next day clinics are open."""
    holidays = literal(list(reference.HOLIDAYS))
    run(
        con,
        f"""
        create table calendar as
        with days as (
            select
                {literal(world.start)} + cast(i as integer) as day,
                isodow({literal(world.start)} + cast(i as integer)) as dow,
                list_contains({holidays}, {literal(world.start)} + cast(i as integer)) as holiday,
            from range(-{CALENDAR_BEFORE}, {CALENDAR_AFTER}) as r (i)
        )
        select
            day,
            case when holiday then {reference.CLINIC_HOLIDAY}
                else {literal(reference.CLINIC_WEEK)}[dow] end::double as clinic_weight,
            case when holiday then {reference.APP_HOLIDAY}
                else {literal(reference.APP_WEEK)}[dow] end::double as app_weight,
            min(case when dow < 7 and not holiday then day end)
                over (order by day rows between current row and 30 following) as next_open,
            dow = 6 as short_day,
        from days order by day
        """,
    )

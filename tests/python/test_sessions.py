"""Sessions and touches: an increment finds what one run over everything finds, and both are what a
plain sessioniser in Python makes of the same events."""

import csv
import hashlib
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from conftest import PROJECT, Goodoc, RawWarehouse

PAUSE, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)
FACTS = ("marketing.fct_web_sessions", "marketing.fct_touchpoints")


# -- the plain sessioniser -----------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """An event, once; `at` is UTC. `told` is what tells where the visitor came from: the names of
    the columns `click_id_name`, `utm_source`, `utm_medium`, `utm_campaign` and `referrer_host`."""

    visitor: str
    at: datetime
    id: str
    member: str | None = None
    name: str = "view"
    screen: str | None = None
    platform: str | None = None
    version: str | None = None
    told: tuple[str | None, ...] = (None,) * 5

    @property
    def day(self) -> date:
        return kst_day(self.at)


def kst_day(at: datetime) -> date:
    return (at + 9 * HOUR).date()


def seed() -> dict[tuple[str, str, str], list[tuple[str | None, str]]]:
    """What tells, its name, and the utm_medium beside it: the media and channels that it means."""
    found = defaultdict(list)
    with (PROJECT / "seeds" / "touch_sources.csv").open() as file:
        for row in csv.DictReader(file):
            key = row["told_by"], row["code"], row["utm_medium"]
            found[key].append((row["medium"] or None, row["channel"]))
    return found


SEED = seed()


def origin(told: Sequence[str | None]) -> tuple[str, str, str | None, str | None]:
    """Match type, channel, medium and campaign of an event."""
    click, source, word, campaign, host = (value or None for value in told)

    def known(kind: str, code: str | None, beside: str = "") -> tuple[str | None, str] | None:
        return SEED.get((kind, code or "", beside), [None])[0]

    by_word, by_source = known("utm_medium", word), known("utm", source)
    pair = known("utm", source, word) if word else None
    if pair:
        utm_medium, utm_channel = pair
    else:
        utm_medium = (by_word and by_word[0]) or (by_source and by_source[0]) or None
        if by_word and (by_word[0] or by_word[1] == "message"):
            utm_channel = by_word[1]
        else:
            utm_channel = (by_source or by_word or (None, "referral"))[1]
    if by_click := known("click_id", click):
        others = SEED.get(("shared_click_id", click or "", ""), [])
        medium, channel = next((each for each in others if each[0] == utm_medium), by_click)
        return "click_id", utm_channel if medium == utm_medium else channel, medium, campaign
    if source or word or campaign:
        return "utm", utm_channel, utm_medium, campaign
    labels = host.split(".") if host else []
    above = [known("referrer", ".".join(labels[n:])) for n in range(min(4, len(labels)))]
    channel = next((each[1] for each in above if each), "referral")
    if host and channel != "own":
        return "referrer", channel, "organic", None
    return "none", "direct", None, None


def key(*parts: str | None) -> str:
    text = "|".join("~null~" if part is None else part for part in parts)
    return hashlib.md5(text.encode()).hexdigest()


def survivor(member: str | None, merges: dict[str, str]) -> str | None:
    for _ in range(5):
        member = merges.get(member or "", member)
    return member


def expected(
    events: Iterable[Event], merges: dict[str, str]
) -> tuple[dict[str, tuple], dict[str, tuple]]:
    """Rows of both facts by their keys, without load_id."""
    sessions, touches = {}, {}
    by_visitor = defaultdict(list)
    for event in events:
        by_visitor[event.visitor].append(event)
    for visitor, theirs in by_visitor.items():
        theirs.sort(key=lambda event: (event.at, event.id))
        namings = [event for event in theirs if event.member]

        def member_at(at: datetime, namings: list[Event] = namings) -> str | None:
            place = bisect_right([event.at for event in namings], at)
            if place:
                return survivor(namings[place - 1].member, merges)
            if namings and namings[0].at - at <= 30 * DAY:
                return survivor(namings[0].member, merges)
            return None

        visits: list[list[Event]] = []
        endless = []
        run_day = theirs[0].day
        for before, event in zip([None, *theirs], theirs, strict=False):
            is_gap = before is None or event.at - before.at > PAUSE
            if is_gap:
                run_day = event.day
            is_cut = before is not None and before.day < event.day > run_day + 3 * DAY
            if is_gap or is_cut:
                visits.append([])
                endless.append(not is_gap)
            visits[-1].append(event)
        for visit, is_endless in zip(visits, endless, strict=True):
            first, last = visit[0], visit[-1]
            origins = [(*origin(event.told), event) for event in visit]
            told = [each for each in origins if each[0] != "none"]
            match, channel, medium, campaign, _ = (told or origins)[0]
            reason = None
            if is_endless or last.at - first.at > 3 * DAY:
                reason = "over_3_days"
            elif len(visit) > 10_000:
                reason = "over_10000_events"
            elif any(b.at - a.at <= timedelta(seconds=60) for a, b in zip(visit, visit[600:])):  # noqa: B905
                reason = "over_600_events_a_minute"
            member, session_id = member_at(last.at), key(visitor, first.id)
            names = [event.name for event in visit]
            sessions[session_id] = (
                first.day, first.at, last.at, visitor, member, member or visitor, first.platform,
                first.version, first.screen, last.screen, len(visit),
                len({event.screen for event in visit} - {None}),
                names.count("view_event_product"), names.count("apply_start"),
                names.count("apply_complete"), names.count("booking_complete"),
                channel, medium, campaign, match, reason is not None, reason,
            )  # fmt: skip
            if reason:
                continue
            for match, *signature, event in told or origins[:1]:
                touch_id = key(session_id, *signature)
                whose = member_at(event.at)
                row = (session_id, event.day, event.at, visitor, whose, whose or visitor,
                       *signature, match, match == "none")  # fmt: skip
                touches.setdefault(touch_id, row)
    return sessions, touches


SESSION_COLUMNS = (
    "session_date, started_at, ended_at, visitor_key, member_key, person_key, platform,"
    " app_version, entry_screen, exit_screen, event_count, screen_count, product_view_count,"
    " apply_start_count, apply_complete_count, booking_complete_count, channel, medium, campaign,"
    " match_type, is_quarantined, quarantine_reason"
)
TOUCH_COLUMNS = (
    "session_id, touch_date, touched_at, visitor_key, member_key, person_key, channel, medium,"
    " campaign, match_type, is_direct"
)
QUERIES = (
    f"select session_id, {SESSION_COLUMNS} from marketing.fct_web_sessions",
    f"select touch_id, {TOUCH_COLUMNS} from marketing.fct_touchpoints",
)


def assert_is(found: list[tuple], wanted: dict[str, tuple]) -> None:
    rows = {row[0]: row[1:] for row in found}
    assert len(rows) == len(found)
    wrong = {each: (rows.get(each), wanted.get(each)) for each in {*rows, *wanted}
             if rows.get(each) != wanted.get(each)}  # fmt: skip
    assert not wrong, (len(wrong), next(iter(wrong.items())))


def test_sessions_of_a_company_are_those_of_a_plain_sessioniser(analysed: Goodoc) -> None:
    copies = analysed.query(
        "select user_pseudo_id, occurred_at, event_id, member_id, lower(trim(event_name)),"
        " trim(screen), lower(trim(platform)), trim(app_version),"
        " case when click_id <> '' then lower(trim(click_id_name)) end,"
        " lower(trim(utm_source)), lower(trim(utm_medium)), lower(trim(utm_campaign)),"
        " lower(trim(referrer)) from raw_app_events.events where _deleted_at is null"
    )
    events = {row[1:3]: Event(*row[:8], told=row[8:]) for row in copies}
    merges = dict(
        analysed.query(
            "select from_member_id, arg_max(to_member_id, id) from raw_app_db.member_merges"
            " where from_member_id <> to_member_id group by all"
        )
    )
    assert len(copies) > len(events) > 10_000 and merges
    for query, wanted in zip(QUERIES, expected(events.values(), merges), strict=True):
        assert len(wanted) > 3_000
        assert_is(analysed.query(query), wanted)


# -- increments against one run over everything ----------------------------------------------------


class Raw(RawWarehouse):
    """Loads of behaviour events and of merged members."""

    def load(
        self,
        arrived: Iterable[Event] = (),
        vanished: Iterable[Event] = (),
        replaced: Iterable[Event] = (),
        merges: Iterable[tuple[int, str, str]] = (),
    ) -> None:
        """Vanished rows stay, marked; replaced ones leave raw, as a file's new content does it."""
        at = self.start_load("app_events", "events")
        touched: list[date] = []
        with duckdb.connect(str(self.file)) as connection:
            for event in vanished:
                connection.execute(
                    "update raw_app_events.events set _deleted_at = ?, _load_id = ?"
                    " where event_id = ?", [at, self.loads, event.id],
                )  # fmt: skip
                touched.append(event.day)
            for event in replaced:
                connection.execute(
                    "delete from raw_app_events.events where event_id = ?", [event.id]
                )
                connection.execute(
                    "insert into raw_ledger.moves values (?, 1, 'app_events', 'events',"
                    " 'replaced', 1)", [self.loads],
                )  # fmt: skip
                touched.append(event.day)
            rows = []
            for event in arrived:
                self.line += 1
                click, source, word, campaign, host = event.told
                rows.append(
                    {
                        "event_id": event.id, "user_pseudo_id": event.visitor,
                        "member_id": event.member, "event_name": event.name,
                        "occurred_at": event.at, "received_at": event.at,
                        "screen": event.screen, "platform": event.platform,
                        "app_version": event.version, "click_id": click and "c",
                        "click_id_name": click, "utm_source": source, "utm_medium": word,
                        "utm_campaign": campaign, "referrer": host, "_file": "f",
                        "_line": self.line, "_load_id": self.loads, "_extracted_at": at,
                    }
                )  # fmt: skip
                touched.append(event.day)
            if rows:
                connection.register("arrived", pa.Table.from_pylist(rows))
                connection.execute(
                    "insert into raw_app_events.events by name select * from arrived"
                )
            for merge in merges:
                connection.execute(
                    "insert into raw_app_db.member_merges by name select ? as id,"
                    " ? as from_member_id, ? as to_member_id, ? as merged_at, ? as _load_id,"
                    " ? as _extracted_at", [*merge, at, self.loads, at],
                )  # fmt: skip
            for day in set(touched):
                connection.execute(
                    "insert into raw_ledger.days values (?, 'app_events', 'events', ?, ?)",
                    [self.loads, day, touched.count(day)],
                )


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raw:
    monkeypatch.setenv("GOODOC_HOME", str(tmp_path))
    monkeypatch.setenv("GOODOC_TARGET", "duckdb")
    return Raw(tmp_path)


START = datetime(2026, 6, 1)  # UTC
TOLD = [
    (None, None, None, None, None),
    ("gclid", "naver", "cpc", "lying", "google.com"),
    ("gclid", "dv360", "display", "told_by_utm", None),
    ("unheard", "naver", "display", "gfa", "search.naver.com"),
    (None, "Facebook ", "cpc", "lead", "l.instagram.com"),
    (None, "facebook", "social", None, None),
    (None, "someone", "email", None, None),
    (None, None, None, None, "m.search.naver.com"),
    (None, None, None, None, "a.b.c.d.blog.naver.com"),
    (None, None, None, None, "www.clinicapp.example"),
    (None, None, None, None, "news.example.com"),
    (None, None, None, "only_campaign", None),
]


def random_events(randomly: random.Random, visitors: int = 60, days: int = 40) -> list[Event]:
    """Visits of every kind, many of them about midnight or with a pause of half an hour."""
    events = []
    for n in range(visitors):
        visitor = f"visitor-{n}"
        members = randomly.choices(["a", "b", "c", "d", f"m{n}"], k=2)
        for _ in range(randomly.randrange(1, 9)):
            day = START + randomly.randrange(days) * DAY
            at = day + randomly.choice(
                [14.6 * HOUR, 14 * HOUR, randomly.randrange(86400) * HOUR / 3600]
            )
            named = randomly.random() < 0.35
            told = randomly.choice(TOLD)
            for _ in range(randomly.randrange(1, 7)):
                events.append(
                    Event(
                        visitor, at, f"event-{randomly.randrange(10**9):09d}",
                        randomly.choice(members) if named and randomly.random() < 0.5 else None,
                        randomly.choice(["view_event_product", "apply_start", "search"]),
                        randomly.choice([None, "home", "list"]), randomly.choice(["ios", "web"]),
                        randomly.choice([None, "5.2.0"]),
                        told if randomly.random() < 0.7 else randomly.choice(TOLD),
                    )
                )  # fmt: skip
                at += randomly.choice(
                    [timedelta(0), timedelta(seconds=7), timedelta(minutes=20), PAUSE,
                     PAUSE + timedelta(microseconds=1), timedelta(minutes=45)]
                )  # fmt: skip
    # who never pauses for a week, and who is too quick
    events += [
        Event("endless", START + 3 * DAY + n * timedelta(minutes=29), f"endless-{n:04d}")
        for n in range(7 * 50)
    ]
    events += [
        Event("quick", START + 5 * DAY + n * timedelta(milliseconds=100), f"quick-{n:04d}")
        for n in range(601)
    ]
    events += [
        Event("not-quite", START + 5 * DAY + n * timedelta(milliseconds=101), f"slow-{n:04d}")
        for n in range(700)
    ]
    for visitor, number in (("busy", 10_000), ("busier", 10_001)):
        events += [
            Event(visitor, START + 6 * DAY + n * timedelta(milliseconds=200), f"{visitor}-{n:05d}")
            for n in range(number)
        ]
    return events


def normal(event: Event) -> Event:
    return replace(event, told=tuple(value and value.strip().lower() for value in event.told))


def test_daily_runs_of_shuffled_arrivals_equal_one_run(raw: Raw) -> None:
    randomly = random.Random(1)
    events = random_events(randomly)
    arrivals = defaultdict(list)
    for event in events:
        # most come on their day, some days late, a few after weeks, some twice
        delay = randomly.choices(
            [0, randomly.randrange(1, 4), randomly.randrange(4, 40)], [80, 17, 3]
        )
        arrivals[(event.at - START).days + delay[0]].append(event)
        if randomly.random() < 0.05:
            arrivals[(event.at - START).days + randomly.randrange(4)].append(event)
    merges = [(1, "a", "b"), (2, "c", "d"), (3, "b", "m1")]
    there: set[Event] = set()
    gone: set[Event] = set()
    runs = [0, 12, 20, 22, 27, 33, 90]
    for run, (since, until) in enumerate(zip([-1, *runs], runs, strict=False)):
        arrived = [each for day in range(since + 1, until + 1) for each in arrivals[day]]
        arrived = [each for each in arrived if each not in gone]
        randomly.shuffle(arrived)
        # namings go oftener
        vanished = {
            event
            for event in sorted(there, key=lambda event: event.id)
            if event.id.startswith("event-")
            and randomly.random() < (0.03 if event.member else 0.01)
        }
        replaced = {event for event in vanished if event.id < "event-5" and run == 5}
        gone |= vanished
        vanished -= replaced
        arrived = [each for each in arrived if each not in gone]
        raw.load(arrived, vanished, replaced, merges[run - 3 : run - 2] if run >= 3 else [])
        there = (there | set(arrived)) - gone
        raw.build("fct_touchpoints")
        known = dict(merge[1:] for merge in merges[: max(0, run - 2)])
        for query, wanted in zip(QUERIES, expected(map(normal, there), known), strict=True):
            assert_is(raw.query(query), wanted)
    by_increments = [raw.query(f"select * from {fact} order by all") for fact in FACTS]
    raw.build("fct_touchpoints", "--full-refresh")
    assert by_increments == [raw.query(f"select * from {fact} order by all") for fact in FACTS]
    reasons = raw.query("select distinct quarantine_reason from marketing.fct_web_sessions")
    assert {reason for (reason,) in reasons} == {
        None, "over_3_days", "over_10000_events", "over_600_events_a_minute",
    }  # fmt: skip


def test_a_sessions_start_may_be_earlier_than_what_a_naming_reaches(raw: Raw) -> None:
    """Its last event, after midnight, is just thirty days before the first naming."""
    evening = datetime(2026, 6, 1, 14, 50)
    early = [Event("v", evening + n * timedelta(minutes=20), f"e{n}") for n in range(2)]
    naming = Event("v", early[1].at + 30 * DAY, "named", "m")
    raw.load(early)
    raw.build("fct_touchpoints")
    for load, there, merges in (
        ({"arrived": [naming]}, [*early, naming], {}),
        ({"merges": [(1, "m", "k")]}, [*early, naming], {"m": "k"}),
        ({"replaced": [naming]}, early, {"m": "k"}),
    ):
        raw.load(**load)
        raw.build("fct_touchpoints")
        for query, wanted in zip(QUERIES, expected(there, merges), strict=True):
            assert_is(raw.query(query), wanted)


def test_a_merge_that_vanished_gives_back_the_whole_chain(raw: Raw) -> None:
    members = ("oldest", "old", "new")
    events = [Event(each, START + n * 9 * DAY, each, each) for n, each in enumerate(members)]
    raw.load(events, merges=[(1, "oldest", "old"), (2, "old", "new")])
    raw.build("fct_touchpoints")
    at = raw.start_load("app_db", "member_merges")
    raw.query(
        "update raw_app_db.member_merges set _deleted_at = ?, _load_id = ? where id = 2",
        [at, raw.loads],
    )
    raw.build("fct_touchpoints")
    for query, wanted in zip(QUERIES, expected(events, {"oldest": "old"}), strict=True):
        assert_is(raw.query(query), wanted)

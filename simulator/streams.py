"""The sources that arrive as files by the day: behaviour events, device telemetry, status changes,
chart-vendor logs and payment settlements.

Each is computed for a span of days of receipt at a time, so memory doesn't grow with the company.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import company, flows, reference, visits
from simulator.files import BadLines, Tally, runs, write_all, write_lines
from simulator.world import World, literal, run, scalar

Connection = duckdb.DuckDBPyConnection
SPAN_ROWS = 400_000  # rows made at a time
LATE_DAYS = 6  # nothing arrives later than this many days after it happened

NEW_DEVICES_A_DAY = 150  # at scale 1, of people whom nobody knows yet; more than join in a day
ROBOT_EVERY_DAYS = 28
ROBOT_EVENTS = 900  # in 72 seconds

_EVENTS_A_DAY = 13_000
_HEARTBEATS_A_DAY = 3_600
_SCREENS_A_DAY = 1_500


def _spans(world: World, rows_a_day: float) -> Iterator[tuple[date, date]]:
    """Spans of days of this run, each of about SPAN_ROWS rows."""
    length = max(1, int(SPAN_ROWS / (rows_a_day * world.scale + 1)))
    day = world.first
    while day <= world.last:
        end = min(world.last, day + timedelta(days=length - 1))
        yield day, end
        day = end + timedelta(days=1)


def _middle(world: World) -> str | None:
    """The day from which a file may carry bad lines: only when the company is founded."""
    if not world.is_founding:
        return None
    return (world.start + timedelta(days=world.days // 2)).isoformat()


def _future(world: World) -> str:
    return f"2099-01-01T{world.seed % 24:02d}:00:00.000000Z"


# ---------------------------------------------------------------- status changes


def write_flow_events(con: Connection, world: World, root: Path, tally: Tally) -> None:
    """Write the status changes received in this run's days: some late by days, some twice."""
    release = world.start + timedelta(days=10)
    run(
        con,
        f"""
        create or replace temp table flow as
        with happened as (
            select 'booking' as entity, id, unnest([
                {{'t': 'requested', 'happened': created_at, 'actor': case when channel = 'phone'
                    then 'staff' else 'patient' end}},
                {{'t': 'confirmed', 'happened': confirmed_at, 'actor': 'staff'}},
                {{'t': 'rescheduled', 'happened': rescheduled_at, 'actor': 'patient'}},
                {{'t': 'arrived', 'happened': arrived_at, 'actor': 'staff'}},
                {{'t': outcome, 'happened': ended_at, 'actor': case outcome
                    when 'cancelled_patient' then 'patient' when 'expired' then 'system'
                    when 'no_show' then 'system' else 'staff' end}}
            ]) as e, case when rnd('flakybooking', id) < 0.03
                and outcome not in ('cancelled_patient', 'cancelled_hospital')
                then pick(['confirmed', 'arrived', outcome], rnd('whichb', id)) end as late_type
            from booking
            where coalesce(ended_at, slot_start) >= {literal(world.before)}
                - interval {LATE_DAYS + 1} day
            union all
            select 'reception', id, unnest([
                {{'t': 'requested', 'happened': requested_at, 'actor': case when channel
                    in ('desk', 'phone') then 'staff' else 'patient' end}},
                {{'t': 'hold_started', 'happened': case when id <= 2 or rnd('hold', id) < 0.02
                    and day >= {literal(release)} then plus(requested_at, 1) end,
                    'actor': 'system'}},
                {{'t': 'accepted', 'happened': accepted_at, 'actor': 'emr'}},
                -- some clinics' programs do both at once
                {{'t': 'waiting', 'happened': accepted_at + to_seconds(case
                    when rnd('atonce', id) < 0.2 then 0 else 1 end), 'actor': 'system'}},
                {{'t': 'called', 'happened': case when dirt = 'completed_without_called'
                    then null else called_at end, 'actor': 'staff'}},
                {{'t': 'in_treatment', 'happened': started_at, 'actor': 'staff'}},
                {{'t': outcome, 'happened': ended_at, 'actor': case outcome
                    when 'cancelled_patient' then 'patient'
                    when 'auto_cancelled_absent' then 'system'
                    when 'expired_day_end' then 'system'
                    when 'sync_failed' then 'emr' else 'staff' end}}
            ]), case when rnd('flakyreception', id) < 0.03
                then pick(['accepted', 'in_treatment', outcome], rnd('whichr', id)) end
            from reception
            where ended_at >= {literal(world.before)} - interval {LATE_DAYS + 1} day
        ), keyed as (
            select entity, id, e.t as event_type, e.happened as occurred_at, e.actor,
                hash(entity, id, e.t) as key, coalesce(e.t = late_type, false) as is_flaky,
                1 as nth
            from happened where e.happened is not null
            union all
            -- who doesn't hear the call is called again
            select 'reception', id, 'called', plus(called_at,
                floor(epoch(started_at - called_at) / 2)), 'staff',
                hash('reception', id, 'called', 2), false, 2
            from reception
            where rnd('calledagain', id) < 0.02 and outcome = 'completed'
                and dirt is distinct from 'completed_without_called'
                and ended_at >= {literal(world.before)} - interval {LATE_DAYS + 1} day
        ), sent as (
            -- A sixth of the unreliable ones is never delivered. The others of the day arrive
            -- before midnight, so what a row shows is known from events by the day's end.
            select *, case when is_flaky
                then plus(occurred_at, floor(86400 * (1 + rnd('late', key) * {LATE_DAYS - 2})))
                else least(plus(occurred_at, 0.2 + 4 * rnd('sent', key)),
                    midnight(kst_day(occurred_at) + 1) - interval 1 millisecond)
                end as received_at
            from keyed
            where not (is_flaky and rnd('lacking', key) < 0.16)
        ), delivered as (
            select *, false as is_repeat from sent
            union all
            select * replace (received_at + interval 30 millisecond as received_at), true
            from sent where rnd('twice', key) < 0.01
        )
        select * from delivered
        where received_at >= {literal(world.before)} and received_at < {literal(world.now)}
        order by kst_day(received_at)
        """,
    )
    for name, condition in (
        ("late_by_days", "is_flaky and not is_repeat"),
        ("delivered_twice", "is_repeat"),
        ("unknown_event_type", "event_type = 'hold_started' and not is_repeat"),
    ):
        count = scalar(con, f"select count(*) from flow where {condition}")
        tally.add("dirt", f"flow_events.events.{name}", count)
    flows.keep(con)
    for figure, condition in (
        ("flow_events_count", "not is_repeat and event_type <> 'hold_started'"),
        ("unmapped_values_count", "event_type = 'hold_started'"),
    ):
        count = scalar(con, f"select count(*) from flow where {condition}")
        tally.add("figures", figure, count)
    line = (
        '{"event_id": "00000000-bad0-4bad-bad0-00000bad000b", "entity": "booking", '
        '"entity_id": 1, "event_type": "confirmed", "occurred_at": "%s", "received_at": "%s", '
        '"actor": "staff", "payload": null}\n'
    )
    stamp = f"{world.start.isoformat()}T01:00:00.000000Z"
    bad = BadLines(
        tally,
        "flow_events.events",
        _middle(world),
        {
            "broken_json": b'{"event_id": "cut", "entity": "booking", "entity_id": \n',
            "received_in_2099": (line % (stamp, _future(world))).encode(),
            "not_a_number": (line % (stamp, stamp))
            .replace('"entity_id": 1', '"entity_id": "B-17"')
            .encode(),
        },
    )
    for first, last in _spans(world, 6_000):
        written = write_lines(
            con,
            f"""
            select kst_day(received_at)::varchar as file, concat(
                '{{"event_id":"', ident('fe', key), '","entity":"', entity, '","entity_id":', id,
                ',"event_type":"', event_type, '","occurred_at":"', iso(occurred_at),
                '","received_at":"', iso(received_at), '","actor":"', actor,
                '","payload":{{"client_ts":', epoch_ms(occurred_at), ',"source":"', case actor
                    when 'emr' then 'emr-bridge' when 'patient' then 'app' else 'crm' end,
                '"}}}}', chr(10)) as line
            from (select * from flow where received_at >= midnight({literal(first)})
                and received_at < midnight({literal(last)} + 1)
                order by received_at, key, is_repeat)
            """,
            lambda day: root / f"{day}.jsonl.gz",
            bad=bad,
        )
        tally.add("rows", "flow_events.events", written)
    run(con, "drop table flow")


# ---------------------------------------------------------------- app and web behaviour


def _browsing(world: World, first: date, last: date) -> str:
    """SQL of the visits that lead to nothing, some of them soon after another on that device.

    Half are a member's, though not always known as such; the others are of devices on which
    nobody has logged in yet and which come back for some days.
    """
    return f"""
        with arrival as (
            select day, unnest(range(floor({1170 * world.scale} * app_weight
                + rnd('ns', day))::bigint)) as n
            from calendar where day between {literal(first)} and {literal(last)}
        ), keyed as (
            select hash('browse', day, n) as sid, day from arrival
        ), placed as (
            select k.sid, k.day,
                case when rnd('who', k.sid) < 0.5
                    then {company.draw_active_member("whom", "k.sid")} end as member_id,
                floor(({NEW_DEVICES_A_DAY * world.scale}) * (k.day - {literal(world.start)}
                    + rnd('born', k.sid) - 20 * pow(rnd('back', k.sid), 2)))::bigint as device_no,
                plus(midnight(k.day), 21600 + 64000 * pow(rnd('et', k.sid), 0.8)) as t0
            from keyed as k join members_before as mb using (day)
        )
        select sid, sid as device_key, member_id, device_no, t0 from placed
        union all
        -- within half an hour, which is the same visit, or later
        select hash('again', sid), sid, member_id, device_no,
            plus(t0, case when rnd('soon', sid) < 0.5 then 400 + 1000 * rnd('again', sid)
                else 2200 + 2000 * rnd('again', sid) end)
        from placed where rnd('again', sid) < 0.04
    """


def _sessions(world: World, first: date, last: date) -> str:
    """SQL of the app and web sessions that began on the KST days `first` to `last`."""
    between = (
        f"between midnight({literal(first)}) "
        f"and midnight({literal(last)} + 1) - interval 1 millisecond"
    )
    hospitals, old_members = world.count(300, least=12), world.count(28_000, least=200)
    paid = "(select list(campaign order by id) from campaign)"
    return f"""
        with began as (
            select 'browse' as kind, sid, device_key, device_no, member_id,
                1 + floor({hospitals} * pow(rnd('eh', sid), 1.5))::bigint as hospital_id,
                null::bigint as product_id,
                case when rnd('utm', sid) < 0.4
                    then pick({paid}, pow(rnd('utmc', sid), 1.3)) end as campaign, t0
            from ({_browsing(world, first, last)})
            union all
            select 'booking', hash('booking', id), hash('booking', id), null, member_id,
                hospital_id, null, campaign, created_at - interval 250 second
            from booking where channel = 'app_booking' and created_at {between}
            union all
            select 'lead', hash('lead', l.id), hash('lead', l.id), null, l.member_id,
                p.hospital_id, p.id, l.campaign, l.created_at - interval 250 second
            from lead as l join event_product as p on l.event_product_id = p.id
            where not l.is_repeat and l.created_at {between}
            union all
            select 'reception', hash('reception', id), hash('reception', id), null, member_id,
                hospital_id, null, null, requested_at - interval 250 second
            from reception where channel = 'app_reception' and requested_at {between}
            union all
            select 'review', hash('review', id), hash('review', id), null, member_id,
                hospital_id, null, null, written_at - interval 250 second
            from review
            where coalesce(deleted_at, written_at) >= written_at and written_at {between}
            union all
            select 'signup', hash('signup', id), hash('signup', id), null, id,
                null, null, campaign, created_at - interval 250 second
            from member where created_at {between}
            union all
            select 'robot', hash('robot', day, n), hash('robot', n), n, null,
                1 + floor({hospitals} * rnd('eh', hash('robot', day, n)))::bigint, null, null,
                plus(midnight(day), 10800 + 600 * n)
            from calendar cross join range({min(50, world.count(2, least=2))}) as r (n)
            where day between {literal(first)} and {literal(last)}
                and (day - {literal(world.start)}) % {ROBOT_EVERY_DAYS} = 0
        ), owned as (
            -- A member's second device may be a tablet that two share. Who joined lately did so
            -- mostly on a device that had been here for some days.
            select *, rnd('family', member_id // 2) < 0.1 as is_family,
                rnd('dev', device_key) < 0.35 as on_second,
                member_id > {old_members} and rnd('pre', member_id) < 0.6 as was_here
            from began
        ), named as (
            select *, case
                when kind = 'robot' then hash('robot', device_no)
                when member_id is null then hash('device', device_no)
                when on_second and kind <> 'signup' and is_family
                    then hash('family', member_id // 2)
                when on_second and kind <> 'signup' and rnd('two', member_id) < 0.5
                    then hash('second', member_id)
                when was_here then hash('device', floor({NEW_DEVICES_A_DAY / 133} * (member_id
                    - {old_members}) - {3 * NEW_DEVICES_A_DAY * world.scale})::bigint)
                else hash('first', member_id) end as device
            from owned
        ), landed as (
            select n.*, c.medium, l.click_id_name as its_name,
                case when kind = 'robot' then 1.0 else rnd('pf', device) end as pf,
                c.utm_source, c.utm_medium, l.referrer
            from named as n
            left join campaign as c on n.campaign = c.campaign
            left join landing as l on c.medium = l.medium
        ), lying as (
            select *, case when its_name is null then 'right'
                when rnd('lie', sid) < 0.02 then 'lies'
                when rnd('lie', sid) < 0.04 then 'lacks' else 'right' end as utm_kind,
                1 + floor((select count(*) from campaign) * rnd('lied', sid))::bigint as lie_id
            from landed
        )
        select
            b.kind, b.sid, b.device, b.member_id, b.hospital_id, b.product_id, b.t0, b.pf,
            g.at_s as login_at_s,
            case when b.kind in ('browse', 'robot') then
                    case when rnd('in', b.sid) < 0.6 then 'at_start'
                        when rnd('in', b.sid) < 0.8 then 'later' else 'never' end
                when b.kind = 'signup' or rnd('in', b.sid) < 0.25 then 'later'
                else 'at_start' end as login,
            case b.utm_kind when 'right' then b.utm_source when 'lies' then o.utm_source end
                as utm_source,
            case b.utm_kind when 'right' then b.utm_medium when 'lies' then o.utm_medium end
                as utm_medium,
            case b.utm_kind when 'right' then b.campaign when 'lies' then o.campaign end
                as utm_campaign,
            case when b.its_name is not null then token('click', b.sid) end as click_id,
            case when b.campaign like 'google_app%' then 'wbraid' else b.its_name end
                as click_id_name,
            case when b.pf < 0.7 or b.kind = 'robot' then null
                when b.campaign is not null then b.referrer
                -- people keep to the page from which they come
                when rnd('ref', b.sid) < 0.6
                    then pick({literal(reference.REFERRERS)}, rnd('refh', b.device)) end
                as referrer,
            ident('ss', b.sid) as session_id, ident('dv', b.device) as user_pseudo_id,
            pick(['5.2.0', '5.2.1', '5.3.0'], rnd('appv', b.sid)) as app_version,
            pick({literal(reference.SEARCH_WORDS)}, rnd('sw', b.sid)) as search_word
        from lying as b
        left join campaign as o on b.lie_id = o.id and b.utm_kind = 'lies'
        left join login as g on b.kind = g.kind
    """


def write_app_events(
    con: Connection, world: World, root: Path, tally: Tally, progress: Callable[[float], None]
) -> None:
    """Write behaviour events: the app's as Parquet by hour, the web's as JSON lines by day."""
    day = _middle(world)
    stamp = f"{day}T03:00:00.000000Z"
    line = (
        '{"event_id":"bad00000-bad0-4bad-bad0-bad0bad0bad3","user_pseudo_id":"x",'
        '"member_id":null,"event_name":"search","occurred_at":"%s","received_at":"%s",'
        '"hospital_id":null,"payload":%s}\n'
    )
    table = "app_events.events"
    bad_web = BadLines(
        tally,
        table,
        day,
        {
            "broken_json": b'{"event_id":"cut","event_name":"sear\n',
            "received_in_2099": (line % (stamp, _future(world), "null")).encode(),
            "rrn_in_payload": (
                line % (stamp, stamp, '{"form":{"memo":"820708-2345678"}}')
            ).encode(),
            "not_a_number": (line % (stamp, stamp, "null"))
            .replace('"hospital_id":null', '"hospital_id":"H-3"')
            .encode(),
        },
    )
    # The rows themselves are made where the Parquet file is.
    bad_app = BadLines(
        tally,
        table,
        day and f"dt={day}/hh=12",
        {"received_in_2099": b"row", "rrn_in_payload": b"row"},
    )
    for first, last in _spans(world, _EVENTS_A_DAY):
        _make_events(con, world, first, last)
        visits.keep(con)
        _write_app(con, world, root / "app", tally, bad_app)
        _write_web(con, root / "web", tally, bad_web)
        progress(((last - world.start).days + 1) / world.days)
    run(con, "drop table event")


def _make_events(con: Connection, world: World, first: date, last: date) -> None:
    earliest = max(world.start, first - timedelta(days=4))
    run(
        con,
        f"""
        create or replace temp table event as
        with session as ({_sessions(world, earliest, last)}), happened as (
            select s.*, t.seq, t.event_name, t.screen, t.at_s,
                hash(s.sid, t.seq) as key,
                plus(s.t0, t.at_s + rnd('jit', hash(s.sid, t.seq)) * 9) as occurred_at
            from session as s join template as t on s.kind = t.kind
            where rnd('tpl', hash(s.sid, t.seq)) < t.chance
            union all
            select s.*, 100, 'login', 'login', login_at_s, hash(s.sid, 100),
                plus(s.t0, login_at_s + rnd('jit', hash(s.sid, 100)) * 9)
            from session as s
            where s.login = 'later' and login_at_s is not null and member_id is not null
            union all
            select s.*, n, 'view_hospital', 'hospital_detail', 0, hash(s.sid, n),
                plus(s.t0, 0.08 * n + 0.05 * rnd('jit', hash(s.sid, n)))
            from session as s cross join range(1, {ROBOT_EVENTS + 1}) as r (n)
            where s.kind = 'robot'
        ), sent as (
            select *, rnd('evl', key) < 0.01 as is_late,
                plus(occurred_at, case when rnd('evl', key) < 0.01
                    then 86400 * (1 + 2 * rnd('evd', key)) else 0.3 + 20 * rnd('evs', key) end)
                    as received_at
            from happened
        ), delivered as (
            select *, false as is_repeat from sent
            union all
            select * replace (plus(received_at, 0.05 + 60 * rnd('evr', key)) as received_at), true
            from sent where rnd('ev2', key) < 0.008
        ), seen as (
            select *, case when event_name = 'view_event_product' and kind = 'browse'
                    then {company.draw_product(world, "member_id", "ep", "key")}
                when event_name in ('view_event_product', 'apply_start', 'apply_complete')
                    then product_id end as seen_product_id
            from delivered cross join taste
            where received_at >= midnight({literal(first)})
                and received_at < midnight({literal(last)} + 1)
        )
        select
            pf < 0.7 as is_app, is_late, is_repeat, key, sid, device, kind = 'robot' as is_robot,
            ident('ev', key) as event_id, user_pseudo_id,
            case when login = 'at_start'
                or login = 'later' and at_s >= coalesce(login_at_s, 240) then member_id end
                as member_id,
            event_name, occurred_at, received_at, screen,
            case when event_name in ('app_open', 'search', 'view_event_list', 'login',
                    'signup_start', 'signup_complete') then null
                when event_name = 'view_event_product' then p.hospital_id
                else seen.hospital_id end as hospital_id,
            seen_product_id as event_product_id,
            case when pf < 0.35 then 'ios' when pf < 0.7 then 'android' else 'web' end as platform,
            case when pf < 0.7 then app_version end as app_version,
            -- a tracker tells where a visitor came from with the first event alone
            case when seq = 1 then utm_source end as utm_source,
            case when seq = 1 then utm_medium end as utm_medium,
            case when seq = 1 then utm_campaign end as utm_campaign,
            case when seq = 1 then click_id end as click_id,
            case when seq = 1 then click_id_name end as click_id_name,
            case when seq = 1 then referrer end as referrer,
            concat('{{"session":"', session_id, '","client_ts":', epoch_ms(occurred_at),
                case when event_name in ('search', 'view_search_results')
                    then concat(',"query":"', search_word, '"') end,
                case when event_name in ('booking_complete', 'apply_complete')
                    then concat(',"order_no":"', strftime(occurred_at, '20%y'),
                        lpad((key % 1000000000)::varchar, 9, '0'), '"') end, '}}') as payload
        from seen left join event_product as p on seen.seen_product_id = p.id
        """,
    )


_EVENT_COLUMNS = (
    "event_id, user_pseudo_id, member_id, event_name, occurred_at, received_at, screen, "
    "hospital_id, event_product_id, platform, app_version, utm_source, utm_medium, "
    "utm_campaign, click_id, click_id_name, referrer"
)


# Columns with few values; the files are small, so other encodings would cost more than they save.
_REPETITIVE = [
    "event_name",
    "screen",
    "platform",
    "app_version",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "click_id_name",
    "referrer",
]


def _write_app(con: Connection, world: World, root: Path, tally: Tally, bad: BadLines) -> None:
    table = con.sql(
        f"""
        select date_trunc('hour', received_at + interval 9 hour) as file, {_EVENT_COLUMNS}, payload
        from (select * from event where is_app order by received_at, key, is_repeat)
        """
    ).to_arrow_table()
    files = list(runs(table.column("file")))
    table = table.drop_columns(["file"])
    for name in ("occurred_at", "received_at"):
        utc = table.column(name).cast(pa.timestamp("us", "UTC"))
        table = table.set_column(table.column_names.index(name), name, utc)
    jobs = []
    for hour, first, number in files:
        name = f"{hour:dt=%Y-%m-%d/hh=%H}"
        part = table.slice(first, number)
        if bad.take(name):
            part = _with_bad_rows(part, world)
        jobs.append((_write_parquet, (part, root / f"{name}.parquet")))
        tally.add("rows", "app_events.events", part.num_rows)
    write_all(jobs)
    for kind, condition in (
        ("late_by_days", "is_late"),
        ("delivered_twice", "is_repeat"),
        ("robot", "is_robot and not is_repeat"),
    ):
        count = scalar(con, f"select count(*) from event where {condition}")
        tally.add("dirt", f"app_events.events.{kind}", count)


def _write_parquet(part: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink:
        pq.write_table(
            part,
            sink,
            compression="zstd",
            use_dictionary=_REPETITIVE,
            write_statistics=["received_at"],
        )


def _with_bad_rows(part: pa.Table, world: World) -> pa.Table:
    """The rows with two more in their middle: one from the future, one with a person's number."""
    bad = part.slice(0, 1)
    future = pa.array([datetime(2099, 1, 1)], pa.timestamp("us", "UTC"))
    number = f"7{world.seed % 10}0315-1{234567 + world.seed % 1000:06d}"
    for_future = _replaced(bad, "received_at", future)
    with_number = _replaced(bad, "payload", pa.array([f'{{"note": "본인 {number} 확인"}}']))
    middle = part.num_rows // 2
    return pa.concat_tables(
        [
            part.slice(0, middle),
            _replaced(for_future, "event_id", pa.array(["bad00000-bad0-4bad-bad0-bad0bad0bad1"])),
            _replaced(with_number, "event_id", pa.array(["bad00000-bad0-4bad-bad0-bad0bad0bad2"])),
            part.slice(middle),
        ]
    ).combine_chunks()


def _replaced(row: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return row.set_column(row.column_names.index(name), name, values)


def _write_web(con: Connection, root: Path, tally: Tally, bad: BadLines) -> None:
    numbers = ("member_id", "hospital_id", "event_product_id")
    fields = ", ',', ".join(
        f"""'"{name}":', """
        + (
            f"json_number({name})"
            if name in numbers
            else f"json_text({f'iso({name})' if name.endswith('_at') else name})"
        )
        for name in _EVENT_COLUMNS.split(", ")
    )
    written = write_lines(
        con,
        f"""
        select kst_day(received_at)::varchar as file,
            concat('{{', {fields}, ',"payload":', payload, '}}', chr(10)) as line
        from (select * from event where not is_app order by received_at, key, is_repeat)
        """,
        lambda day: root / f"{day}.jsonl.gz",
        bad=bad,
    )
    tally.add("rows", "app_events.events", written)


# ---------------------------------------------------------------- tablets and kiosks


def write_telemetry(con: Connection, world: World, root: Path, tally: Tally) -> None:
    """Write heartbeats (one an hour while a clinic is open) and crashes of the devices.

    A device that was offline sends its heartbeats together when it is back.
    """
    run(con, "create table if not exists device_day (device_id bigint, day date)")
    _keep_shown_devices(con, world)
    stamp = f"{world.start.isoformat()}T01:00:00.000000Z"
    line = (
        '{"device_id":%s,"sent_at":"%s","received_at":"%s","battery_pct":50,"charging":true,'
        '"network":"wifi","app_version":"3.9.1","storage_free_mb":2048}\n'
    )
    bad = BadLines(
        tally,
        "clinic_devices.heartbeats",
        _middle(world),
        {
            "broken_json": b'{"device_id":7,"sent_at":"2026-\n',
            "received_in_2099": (line % (1, stamp, _future(world))).encode(),
            "not_a_number": (line % ('"kiosk"', stamp, stamp)).encode(),
        },
    )
    bad_crash = BadLines(
        tally,
        "clinic_devices.crashes",
        _middle(world),
        {"broken_json": b'{"device_id":7,"occurred_at"\n'},
    )
    crashed = "not is_repeat and rnd('crash', key) < 0.007"
    for first, last in _spans(world, _HEARTBEATS_A_DAY):
        _make_heartbeats(con, world, first, last)
        written = write_lines(
            con,
            """
            select kst_day(received_at)::varchar as file, concat(
                '{"device_id":', device_id, ',"sent_at":"', iso(sent_at), '","received_at":"',
                iso(received_at), '","battery_pct":', battery_pct, ',"charging":', charging,
                ',"network":"', network, '","app_version":"', app_version,
                '","storage_free_mb":', storage_free_mb, '}', chr(10)) as line
            from (select * from heartbeat order by received_at, device_id, sent_at, is_repeat)
            """,
            lambda day: root / "heartbeats" / f"{day}.jsonl.gz",
            bad=bad,
        )
        tally.add("rows", "clinic_devices.heartbeats", written)
        for section, name, condition in (
            ("figures", "heartbeats_count", "not is_repeat"),
            (
                "figures",
                "crashes_count",
                f"{crashed} and kst_day(true_at) between {literal(first)} and {literal(last)}",
            ),
            ("dirt", "clinic_devices.heartbeats.burst", "is_burst and not is_repeat"),
            ("dirt", "clinic_devices.heartbeats.clock_ahead", "sent_at > received_at"),
            (
                "dirt",
                "clinic_devices.heartbeats.battery_out_of_range",
                "battery_pct not between 0 and 100 and not is_repeat",
            ),
            ("dirt", "clinic_devices.heartbeats.delivered_twice", "is_repeat"),
        ):
            count = scalar(con, f"select count(*) from heartbeat where {condition}")
            tally.add(section, name, count)
        run(
            con,
            "insert into device_day select distinct device_id, kst_day(sent_at) as day "
            "from heartbeat where (device_id, kst_day(sent_at)) not in (select (device_id, day) "
            f"from device_day where day >= {literal(first)} - 3) order by day, device_id",
        )
        written = write_lines(
            con,
            f"""
            select kst_day(received_at)::varchar as file, concat(
                '{{"device_id":', device_id, ',"occurred_at":"', iso(occurred_at),
                '","received_at":"', iso(received_at), '","app_version":"', app_version,
                '","screen":"', screen, '","error_class":"', error_class, '"}}', chr(10)) as line
            from (
                select device_id, plus(true_at, 700) as occurred_at,
                    plus(true_at, 705) as received_at, app_version,
                    pick(['start', 'identify', 'consent', 'visit_reason', 'submit'],
                        rnd('crs', key)) as screen,
                    pick(['NullPointerException', 'EmrTimeoutError', 'OutOfMemoryError',
                        'WebViewCrash'], rnd('cre', key)) as error_class, key
                from heartbeat
                where {crashed}
                    and kst_day(true_at) between {literal(first)} and {literal(last)}
            ) order by file, received_at, device_id
            """,
            lambda day: root / "crashes" / f"{day}.jsonl.gz",
            bad=bad_crash,
        )
        tally.add("rows", "clinic_devices.crashes", written)
    run(con, "drop table heartbeat")
    _write_screens(con, world, root, tally)


def _keep_shown_devices(con: Connection, world: World) -> None:
    """Keep at which clinic the product database says each device is, and since when.

    Moves before the database was first read are known to nobody who reads it later.
    """
    run(
        con,
        "create table if not exists device_shown (device_id bigint, hospital_id bigint, "
        "from_day date, to_day date)",
    )
    since = "date '1900-01-01'" if world.is_founding else literal(world.first)
    run(
        con,
        """
        create or replace temp table moved as
        select d.id, d.hospital_id from device as d
        left join device_shown as s on d.id = s.device_id and s.to_day = date '9999-12-31'
        where s.hospital_id is distinct from d.hospital_id order by d.id
        """,
    )
    run(
        con,
        f"update device_shown set to_day = {since} from moved as m "
        "where device_shown.device_id = m.id and to_day = date '9999-12-31'",
    )
    run(
        con,
        f"insert into device_shown select id, hospital_id, {since}, date '9999-12-31' "
        "from moved order by id",
    )


def _write_screens(con: Connection, world: World, root: Path, tally: Tally) -> None:
    """Write what visitors did on each screen of a tablet's session: the app sends it when the
    session is over, or on the next morning when the device was offline."""
    bad = BadLines(
        tally,
        "clinic_devices.screens",
        _middle(world),
        {"broken_json": b'{"session_id":"cut","device_id":7,"scr\n'},
    )
    for first, last in _spans(world, _SCREENS_A_DAY):
        _make_screens(con, world, first, last)
        written = write_lines(
            con,
            """
            select kst_day(received_at)::varchar as file, concat(
                '{"session_id":"', id, '","device_id":', device_id, ',"screen":"', screen,
                '","visit_no":', visit_no, ',"entered_at":"', iso(entered_at), '","left_at":',
                json_text(iso(shown_left_at)), ',"exit":', json_text(exit), ',"error_code":',
                json_text(error_code), ',"app_version":"', app_version, '","received_at":"',
                iso(received_at), '"}', chr(10)) as line
            from (select * from screen order by received_at, id, visit_no, is_repeat)
            """,
            lambda day: root / "screens" / f"{day}.jsonl.gz",
            bad=bad,
        )
        tally.add("rows", "clinic_devices.screens", written)
        for section, name, figure in (
            ("figures", "tablet_screens_count", "count(distinct (id, screen))"),
            ("figures", "tablet_screen_visits_count", "count(*)"),
            ("figures", "tablet_screen_backs_count", "count(*) filter (exit = 'back')"),
            ("figures", "tablet_screen_errors_count", "count(*) filter (exit = 'error')"),
            (
                "figures",
                "tablet_screen_exits_count",
                "count(distinct id) filter (end_reason is null or end_reason like 'abandoned%')",
            ),
            (
                "figures",
                "tablet_screen_dwell_seconds",
                "coalesce(sum(epoch(left_at - entered_at)::bigint) filter (clock is null "
                "and left_at - entered_at <= interval 30 minute), 0)",
            ),
            ("dirt", "clinic_devices.screens.clock_set_back", "count(*) filter (clock = 'back')"),
            (
                "dirt",
                "clinic_devices.screens.never_left",
                "count(*) filter (shown_left_at is null)",
            ),
            ("dirt", "clinic_devices.screens.late", "count(distinct id) filter (is_late)"),
        ):
            count = scalar(con, f"select {figure} from screen where not is_repeat")
            tally.add(section, name, count)
        count = scalar(con, "select count(*) from screen where is_repeat")
        tally.add("dirt", "clinic_devices.screens.delivered_twice", count)
    run(con, "drop table screen")


def _make_screens(con: Connection, world: World, first: date, last: date) -> None:
    """The stays of the sessions that were sent on these days.

    `clock` is what spoils a stay's length for good: the device's clock was set back during it, or
    nobody knows when its visitor left. A stay that another follows ended when that one began.
    """
    earliest = max(world.start, first - timedelta(days=1))
    screens = "['start', 'identify', 'consent', 'visit_reason', 'submit', 'done']"
    run(
        con,
        f"""
        create or replace temp table screen as
        with session as (
            select s.id, s.device_id, d.app_version, s.end_reason, s.dirt,
                date_trunc('second', s.started_at) as started_at, hash(s.id) as key,
                date_trunc('second', coalesce(s.ended_at,
                    plus(s.started_at, 40 + 200 * rnd('scn', hash(s.id))))) as until_at,
                list_position({screens}, s.last_screen) as n,
                rnd('sclate', hash(s.id)) < 0.03 as is_late
            from tablet_session as s join device as d on s.device_id = d.id
            where kst_day(s.started_at) between {literal(earliest)} and {literal(last)}
        ), sent as (
            select *, case when is_late then midnight(kst_day(started_at) + 1) + interval 8 hour
                    + to_seconds(floor(600 * rnd('scs', key))::bigint)
                else plus(until_at, 1 + floor(5 * rnd('scs', key))) end as received_at,
                case when n > 1 and rnd('sce', key) < 0.08 then 2 end as error_no,
                case when n > 2 and rnd('scb', key) < 0.12
                    then 2 + floor((n - 2) * rnd('scbk', key))::bigint end as back_no
            from session
        ), step as (
            -- a mistake on a screen shows it again; who goes back sees two screens again
            select *, unnest(list_concat(
                list_transform(range(1, n + 1), lambda s:
                    {{'place': 10 * s + 5, 'no': s, 'exit': 'next'}}),
                case when error_no is null then [] else
                    [{{'place': 21::bigint, 'no': error_no::bigint, 'exit': 'error'}}] end,
                case when back_no is null then [] else
                    [{{'place': 10 * back_no + 2, 'no': back_no, 'exit': 'back'}},
                    {{'place': 10 * back_no + 3, 'no': back_no - 1, 'exit': 'next'}}] end
            )) as v
            from sent
            where received_at >= midnight({literal(first)})
                and received_at < midnight({literal(last)} + 1)
        ), weighed as (
            select *, hash(key, v.place) as step_key, v.place = 10 * n + 5 as is_last,
                case when dirt = 'over_half_an_hour' and v.place = 10 * n + 5 then 40
                    else 0.3 + rnd('scw', hash(key, v.place)) end as weight
            from step
        ), timed as (
            select *, row_number() over visits as visit_no,
                sum(weight) over visits as until_weight, sum(weight) over (partition by id) as total
            from weighed
            window visits as (partition by id order by v.place)
        ), placed as (
            select *, {screens}[v.no] as screen,
                date_trunc('second', plus(started_at, epoch(until_at - started_at)
                    * (until_weight - weight) / total)) as entered_at,
                case when is_last then until_at else date_trunc('second', plus(started_at,
                    epoch(until_at - started_at) * until_weight / total)) end as left_at,
                case when not is_last or end_reason in ('submitted', 'emr_acked')
                        then case when is_last then 'end' else v.exit end
                    when end_reason in ('failed_emr', 'failed_network') then 'error'
                    when end_reason = 'abandoned_back' then 'back'
                    when end_reason = 'abandoned_timeout' then 'timeout' end as exit
            from timed
        ), told as (
            select *, case when rnd('scclock', step_key) < 0.004 and end_reason is not null
                        then 'back'
                    when is_last and end_reason is null then 'unknown' end as clock,
                case when exit <> 'error' then null when not is_last
                        then pick(['invalid_phone', 'invalid_birth_date'], rnd('scec', key))
                    when end_reason = 'failed_emr' then 'emr_timeout' else 'network_lost' end
                    as error_code
            from placed
        ), shown as (
            select id, device_id, app_version, screen, visit_no, entered_at, left_at, end_reason,
                exit, error_code, clock, is_late, received_at, step_key,
                case when clock = 'back' then entered_at - interval 40 second
                    when clock = 'unknown' or not is_last and rnd('scleft', step_key) < 0.01
                        then null
                    else left_at end as shown_left_at
            from told
        )
        select *, false as is_repeat from shown
        union all
        select * replace (received_at + interval 300 millisecond as received_at), true
        from shown where rnd('sc2', step_key) < 0.006
        """,
    )


def _make_heartbeats(con: Connection, world: World, first: date, last: date) -> None:
    earliest = max(world.start, first - timedelta(days=1))
    run(
        con,
        f"""
        create or replace temp table heartbeat as
        with beat as (
            select d.id as device_id, c.day, d.app_version,
                hash(d.id, c.day) as day_key, unnest(range(9, 19)) as hour
            from device as d
            join calendar as c on c.day between {literal(earliest)} and {literal(last)}
                and c.next_open = c.day and c.day >= d.installed_on
        ), timed as (
            select *, hash(device_id, day, hour) as key,
                midnight(day) + to_minutes(60 * hour + device_id % 60) as true_at,
                9 + floor(rnd('off', day_key) * 12)::int as off_hour
            from beat
        ), offline as (
            select *, rnd('offl', day_key) < 0.04 and hour >= off_hour and hour < off_hour + 4
                as is_burst
            from timed
        ), sent as (
            select device_id, key, true_at, app_version, is_burst,
                case when rnd('ahead', hash(device_id)) < 0.01 or device_id = 2
                    then true_at + interval 35 minute else true_at end as sent_at,
                case when is_burst and off_hour >= 17
                    then midnight(day + 1) + interval 8 hour + to_seconds(hour)
                    when is_burst then midnight(day) + to_minutes(60 * (off_hour + 4)
                        + device_id % 60) + to_seconds(1 + hour)
                    else plus(true_at, 1 + 5 * rnd('hbs', key)) end as received_at,
                case when rnd('bat', key) < 0.002 then 255 when rnd('bat', key) < 0.003 then -1
                    else 20 + floor(80 * rnd('batv', key))::bigint end as battery_pct,
                rnd('chg', key) < 0.8 as charging,
                pick(['wifi', 'wifi', 'wifi', 'lte'], rnd('net', key)) as network,
                800 + floor(5000 * rnd('sto', key))::bigint as storage_free_mb
            from offline
        ), delivered as (
            select *, false as is_repeat from sent
            union all
            select * replace (received_at + interval 200 millisecond as received_at), true
            from sent where rnd('hb2', key) < 0.006
        )
        select * from delivered
        where received_at >= midnight({literal(first)})
            and received_at < midnight({literal(last)} + 1)
        """,
    )


# ---------------------------------------------------------------- chart vendors and payments


def write_emr_logs(con: Connection, world: World, root: Path, tally: Tally) -> None:
    """Write the chart vendors' sync logs, each vendor in its own layout and encoding."""
    run(
        con,
        f"""
        create or replace temp table sync as
        with tried as (
            select r.id as reception_id, r.hospital_id, h.emr_vendor, h.vendor_version,
                r.outcome = 'sync_failed' as is_lost, r.requested_at,
                unnest(range(1, 1 + case when r.outcome = 'sync_failed' then 3
                    when rnd('retry', r.id) < case h.emr_vendor when 'eghis' then 0.12 else 0.05 end
                    then 2 else 1 end)) as attempt,
                case when r.outcome = 'sync_failed' then 3
                    when rnd('retry', r.id) < case h.emr_vendor when 'eghis' then 0.12 else 0.05 end
                    then 2 else 1 end as attempts
            from reception as r join hospital as h on r.hospital_id = h.id
            where h.emr_vendor is not null and r.outcome <> 'rejected'
                and r.day between {literal(world.first)} and {literal(world.last)}
        )
        select reception_id * 10 + attempt as id, hospital_id, emr_vendor,
            pick(s.words, rnd('vsp', hospital_id * 7 + reception_id % 3)) as vendor,
            vendor_version, reception_id, attempt,
            plus(requested_at, floor(1 + 4 * attempt)) as started_at,
            plus(requested_at, floor(1 + 4 * attempt)
                + case when rnd('fbs', reception_id * 10 + attempt) < 0.01 then -7
                    else 1 + floor(3 * rnd('lag', reception_id * 10 + attempt)) end)
                as finished_at,
            is_lost or attempt < attempts as has_failed, is_lost, requested_at
        from tried join spelling as s on s.kind = 'emr' and s.status = emr_vendor
        """,
    )
    fields = (
        "id, hospital_id, vendor, vendor_version, 'push', 'reception', reception_id, attempt, "
        "{start}, {end}, case when has_failed then 'fail' else 'ok' end, "
        "case when has_failed then pick(['E1001', 'E2004', 'TIMEOUT'], rnd('ec', id)) else '' end"
    )
    seoul = "strftime({} + interval 9 hour, '%Y-%m-%d %H:%M:%S')"
    utc = "strftime({}, '%Y-%m-%dT%H:%M:%SZ')"
    english = "VENDOR_NM\tPGM_VER\tDIR\tENT\tENT_NO\tTRY_CNT\tST_DT\tED_DT\tRSLT\tERR_CD"
    times = "2026-06-01 10:00:00\t2026-06-01 10:00:01"
    layouts = (
        (
            "ubcare",
            ".csv",
            ",",
            "\r\n",
            "utf-8",
            seoul,
            "\ufeff로그번호,병원코드,벤더,버전,방향,구분,대상번호,시도,시작시각,종료시각,결과,오류코드",
            "999,1,의사랑,4.1.0,push\r\n",
            "too_few_fields",
        ),
        (
            "bit",
            ".tsv",
            "\t",
            "\n",
            "cp949",
            seoul,
            f"LOG_ID\tHOSP_CD\t{english}",
            f"N/A\t1\tBIT\t4.1.0\tpush\treception\t1\t1\t{times}\tok\t\n",
            "not_a_number",
        ),
        (
            "eghis",
            ".csv.gz",
            ";",
            "\n",
            "utf-8",
            utc,
            "seq;hospital;emr;emr_version;dir;kind;ref;try;from;to;status;code",
            "999;1;이지스;4.1.0;push;reception;1;1;2026-06-01T01:00:00Z;2026-06-01T01:00:01Z;ok;;;x\n",
            "too_many_fields",
        ),
    )
    for vendor, suffix, delimiter, newline, encoding, clock, header, bad, kind in layouts:
        table = f"emr_links.{vendor}_logs"
        columns = fields.format(start=clock.format("started_at"), end=clock.format("finished_at"))
        written = write_lines(
            con,
            f"""
            select kst_day(started_at)::varchar as file,
                concat_ws('{delimiter}', {columns}) || '{newline}' as line
            from (select * from sync where emr_vendor = '{vendor}' order by started_at, id)
            """,
            lambda name, v=vendor, s=suffix: root / v / f"{name}{s}",
            header=header + newline,
            encoding=encoding,
            bad=BadLines(tally, table, _middle(world), {kind: bad.encode(encoding)}),
        )
        tally.add("rows", table, written)
        for name, condition in (
            ("retry", "attempt > 1"),
            ("finished_before_started", "finished_at < started_at"),
            ("vendor_spelling", f"vendor <> '{vendor}'"),
        ):
            count = f"select count(*) from sync where emr_vendor = '{vendor}' and {condition}"
            tally.add("dirt", f"{table}.{name}", scalar(con, count))
    acknowledged = "filter (not has_failed and finished_at >= started_at)"
    for name, figure in (
        ("attempts_count", "count(*)"),
        ("failures_count", "count(*) filter (has_failed)"),
        ("retries_count", "count(*) filter (attempt > 1)"),
        ("receptions_count", "count(distinct reception_id)"),
        ("failed_receptions_count", "count(*) filter (is_lost and attempt = 1)"),
        (
            "lag_seconds",
            f"coalesce(sum(epoch(finished_at - requested_at)::bigint - 5) {acknowledged}, 0)",
        ),
    ):
        value = scalar(con, f"select {figure} from sync")
        tally.add("figures", f"emr_sync_{name}", value)
    run(con, "drop table sync")


def write_settlements(con: Connection, world: World, root: Path, tally: Tally) -> None:
    """Write the payment gateway's daily settlement files (CP949, amounts like "12,300")."""
    amount = "case when {0} < 0 then '-' else '' end || format('{{:,}}', abs({0}))"
    window = f">= {literal(world.before)} and {{0}} < {literal(world.now)}"
    table = "payments_pg.settlements"
    bad = BadLines(
        tally,
        table,
        _middle(world),
        {
            "too_many_fields": b"pg-bad0,2026000000001,clinic,2026-07-01 10:00:00,card,paid,"
            b"1000,20,980,,extra\r\n",
            "undecodable_bytes": b"pg-bad1,2026000000002,\xff\xff,2026-07-01 10:00:00,card,paid,"
            b"1000,20,980,\r\n",
        },
    )
    written = write_lines(
        con,
        f"""
        with settled as (
            select id, pg_tid, order_id, hospital_id, method, created_at as settled_at,
                round(amount)::bigint as won,
                case when amount < 0 then '취소' else '승인' end as kind
            from payment_now where pg_tid is not null and created_at {window.format("created_at")}
            union all
            select id, pg_tid, order_id, hospital_id, method, cancelled_at,
                -round(amount)::bigint, '취소'
            from payment_now
            where pg_tid is not null and cancelled_at {window.format("cancelled_at")}
        ), charged as (
            select *, (won * 25 // 1000)::bigint as fee from settled
        )
        select kst_day(settled_at)::varchar as file, concat_ws(',', pg_tid, order_id, name,
            strftime(settled_at + interval 9 hour, '%Y-%m-%d %H:%M:%S'),
            case method when 'card' then '신용카드' when 'kakaopay' then '카카오페이'
                else '네이버페이' end, kind,
            '"' || {amount.format("won")} || '"', '"' || {amount.format("fee")} || '"',
            '"' || {amount.format("(won - fee)")} || '"',
            case when kind = '취소' then '고객 요청 취소' else '' end) || chr(13) || chr(10) as line
        from (select c.*, h.name from charged as c join hospital as h on c.hospital_id = h.id
            order by settled_at, c.id, kind)
        """,
        lambda day: root / f"settlement_{day.replace('-', '')}.csv",
        header="거래번호,주문번호,가맹점,승인일시,결제수단,구분,거래금액,수수료,정산금액,비고\r\n",
        encoding="cp949",
        bad=bad,
    )
    tally.add("rows", table, written)

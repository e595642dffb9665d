"""The company's clean state: who exists, and what happens to them day by day.

A journey is written down with its whole future when it starts; what a source shows at a moment is
the part of it that has happened by then. So the next day only has to add journeys and move the
clock.
"""

from collections import Counter

import duckdb

from simulator import reference
from simulator.media import catalogue
from simulator.world import World, literal, next_id, run

Connection = duckdb.DuckDBPyConnection

TASTES = 6
TASTE_SHARE = 0.7  # of what a member looks at and applies for
ACTIVE_SHARE = 0.12  # of all members, who make half of the visits


def found(con: Connection, world: World) -> None:
    """Make what exists before the first day: code tables, clinics, staff, devices, campaigns."""
    _add_code_tables(con)
    _add_hospitals(con, world)
    _add_doctors(con)
    _add_devices(con, world)
    _add_campaigns(con)
    _add_event_products(con, world)
    _create_journeys(con)
    _add_old_members(con, world)


def live(con: Connection, world: World) -> None:
    """Let the company live through the days of this run."""
    _add_new_members(con, world)
    _count_members(con)
    _merge_members(con, world)
    _add_bookings(con, world)
    _add_receptions(con, world)
    _add_offenders(con, world)
    _add_prescriptions(con, world)
    _add_payments(con, world)
    _add_tablet_sessions(con, world)
    _add_event_leads(con, world)
    _add_reviews(con, world)
    _erase_members(con, world)
    if not world.is_founding:
        _delete_rows(con, world)


def _values(rows: list[tuple]) -> str:
    return ", ".join("(" + ", ".join(literal(v) for v in row) + ")" for row in rows)


def _add_code_tables(con: Connection) -> None:
    tables = {
        "region (sido_cd, sido, sggu_cd, sggu, x, y)": reference.REGIONS,
        "department (code, word, weight, kcd)": reference.DEPARTMENTS,
        "institution (cl_cd, name, short_name, word, share)": reference.INSTITUTION_TYPES,
        "template (kind, seq, event_name, screen, chance, at_s)": reference.EVENT_TEMPLATES,
        "landing (medium, click_id_name, referrer)": reference.LANDINGS,
        "login (kind, at_s)": list(reference.LOGIN_AFTER.items()),
    }
    for head, rows in tables.items():
        name, columns = head.split(" ", 1)
        run(con, f"create table {name} as select * from (values {_values(rows)}) as v {columns}")
    spellings = [
        (kind, status, words)
        for kind, table in (
            ("booking", reference.BOOKING_SPELLINGS),
            ("reception", reference.RECEPTION_SPELLINGS),
            ("emr", reference.EMR_SPELLINGS),
        )
        for status, words in table.items()
    ]
    run(
        con,
        "create table spelling as select * from "
        f"(values {_values(spellings)}) as v (kind, status, words)",
    )


def _add_hospitals(con: Connection, world: World) -> None:
    total = world.count(300, least=12)
    moved = world.count(3, least=1)
    shares = " ".join(
        f"when rnd('cl', i) < {sum(t[4] for t in reference.INSTITUTION_TYPES[: n + 1]):.2f} "
        f"then '{row[0]}'"
        for n, row in enumerate(reference.INSTITUTION_TYPES[:-1])
    )
    departments = [d[0] for d in reference.DEPARTMENTS for _ in range(d[2])]
    run(
        con,
        f"""
        create table hospital as
        with base as (
            select
                i as id,
                case when i = 4 then '01' {shares}
                    else '01' end as cl_cd,
                pick({literal(departments)}, rnd('dept', i)) as main_department,
                1 + floor(rnd('region', i) * {len(reference.REGIONS)})::bigint as region_no,
                pick({literal(reference.CLINIC_WORDS)}, rnd('word', i)) as word,
            from range(1, {total + 1}) as r (i)
        ), numbered as (
            select row_number() over (order by sido_cd, sggu_cd) as region_no, * from region
        )
        select
            b.id,
            case when rnd('ykiho', b.id) < 0.97 then to_base64(unhex(
                code('y1', b.id) || code('y2', b.id) || code('y3', b.id)
                || substr(code('y4', b.id), 1, 24))) end as ykiho,
            printf('%03d-%02d-%05d', 100 + floor(rnd('bn1', b.id) * 800)::int,
                floor(rnd('bn2', b.id) * 90)::int, b.id % 100000) as business_no,
            b.word || case when b.cl_cd = '31' then d.word else '' end || i.word as name,
            b.cl_cd, r.sido_cd, r.sggu_cd,
            r.sido || ' ' || r.sggu || ' 건강로 ' || (1 + floor(rnd('addr', b.id) * 300)::int)
                as addr,
            '02-' || (200 + floor(rnd('t1', b.id) * 700)::int) || '-'
                || (1000 + floor(rnd('t2', b.id) * 8999)::int) as tel,
            round(r.x + (rnd('x', b.id) - 0.5) * 0.05, 5) as x,
            round(r.y + (rnd('y', b.id) - 0.5) * 0.05, 5) as y,
            case when b.id <= 3 then ['ubcare', 'bit', 'eghis'][b.id]
                when rnd('emr', b.id) < 0.5 then 'ubcare' when rnd('emr', b.id) < 0.75 then 'bit'
                when rnd('emr', b.id) < 0.9 then 'eghis' end as emr_vendor,
            pick(['4.1.0', '4.2.3', '5.0.1'], rnd('emrv', b.id)) as vendor_version,
            case when rnd('contract', b.id) < 0.94 then 'active' else 'paused' end
                as contract_status,
            {literal(world.start)} - (800 + floor(rnd('open', b.id) * 9000))::int as opened_at,
            null::date as closed_at,
            plus(midnight({literal(world.start)}), -86400 * (30 + rnd('hc', b.id) * 700))
                as created_at,
            b.main_department,
            pick({literal(sorted({d[0] for d in reference.DEPARTMENTS}))}, rnd('d2', b.id))
                as second_department,
            1 + floor(pow(rnd('docs', b.id), 1.3) * 5)::bigint
                + case when b.cl_cd in ('01', '11', '21') then 4 else 0 end as doctors,
            case when rnd('tab', b.id) < 0.65 or b.id <= 3
                then 1 + floor(rnd('ndev', b.id) * 2.6)::bigint else 0 end as devices,
            null::varchar as dirt,
        from base as b
        join numbered as r on b.region_no = r.region_no
        join institution as i on b.cl_cd = i.cl_cd
        join department as d on b.main_department = d.code
        order by b.id
        """,
    )
    # A clinic that moved keeps its old address as a second, closed row; nobody visits that one.
    run(
        con,
        f"""
        insert into hospital
        select * replace (
            {total} + row_number() over (order by id) as id,
            addr || ' (구)' as addr,
            round(x + 0.01, 5) as x,
            'closed' as contract_status,
            {literal(world.start)} - 60 as closed_at,
            0 as devices,
            0 as doctors,
            'moved_two_rows' as dirt,
        )
        from hospital where id > 3 order by id limit {moved}
        """,
    )
    run(con, "alter table hospital add column updated_at timestamp")
    run(con, "alter table hospital add column touched_at timestamp")
    run(con, "alter table hospital add column visited boolean")
    run(
        con,
        f"update hospital set updated_at = created_at, touched_at = created_at, "
        f"visited = id <= {total}",
    )
    run(
        con,
        """
        create table hospital_department as
        select distinct hospital_id, code, null::varchar as dirt from (
            select id as hospital_id, main_department as code from hospital
            union all select id, second_department from hospital where rnd('two', id) < 0.6
        ) order by hospital_id, code
        """,
    )


def _add_doctors(con: Connection) -> None:
    names = f"pick({literal(reference.FAMILY_NAMES)}, rnd('df', id)) " + (
        f"|| pick({literal(reference.GIVEN_NAMES)}, rnd('dg', id))"
    )
    run(
        con,
        f"""
        create table doctor as
        with seats as (
            select id as hospital_id, main_department, second_department, created_at,
                unnest(range(doctors)) as seat
            from hospital
        ), numbered as (
            select row_number() over (order by hospital_id, seat) as id, * from seats
        )
        select
            id, hospital_id, {names} as name,
            (100000 + id)::varchar as licence_no,
            case when seat = 0 or rnd('spec', id) < 0.7 then main_department
                else second_department end as specialty_cd,
            rnd('active', id) < 0.95 or seat = 0 as active,
            created_at, created_at as updated_at, null::varchar as dirt,
        from numbered order by id
        """,
    )
    run(
        con,
        "create table doctors_of as select hospital_id, min(id) as first_id, count(*) as n "
        "from doctor group by hospital_id order by hospital_id",
    )


def _add_devices(con: Connection, world: World) -> None:
    start = literal(world.start)
    run(
        con,
        f"""
        create table device as
        with seats as (
            select id as hospital_id, unnest(range(devices)) as seat from hospital
        ), numbered as (
            select row_number() over (order by hospital_id, seat) as id, * from seats
        )
        select
            id, 'GDT-' || lpad((10000 + id * 37)::varchar, 6, '0') as serial_no,
            case when rnd('kind', id) < 0.78 or seat = 0 then 'tablet' else 'kiosk' end as kind,
            pick(['T10', 'T10 Plus', 'T12'], rnd('model', id)) as model,
            hospital_id,
            case when seat < 2 then {start} - (20 + floor(rnd('inst', id) * 500))::int
                else {start} + floor(rnd('inst', id) * 60)::int end as installed_on,
            pick(['Android 12', 'Android 13', 'Android 14'], rnd('os', id)) as os,
            pick(['3.8.0', '3.9.1', '3.10.0'], rnd('dapp', id)) as app_version,
            null::timestamp as moved_at, null::varchar as dirt,
        from numbered order by id
        """,
    )
    run(
        con,
        "create table assignment as select id as device_id, hospital_id, installed_on as from_day,"
        " date '9999-12-31' as to_day from device order by id",
    )
    # Some devices were carried to another clinic: the new row doesn't say when, or from where.
    move_devices(con, world, world.count(5, least=2), literal(world.start) + " + 7", "moved0")


def move_devices(con: Connection, world: World, number: int, day: str, salt: str) -> None:
    """Reassign `number` installed devices to the next clinic from the SQL date `day` on."""
    run(
        con,
        f"""
        create or replace temp table moving as
        with chosen as (
            select id, hospital_id, {day} as day from device
            where moved_at is null and dirt is null and installed_on < {literal(world.start)}
            order by rnd('{salt}', id), id limit {number}
        )
        select c.id, c.day, coalesce(
            (select min(h.id) from hospital as h where h.visited and h.id > c.hospital_id), 1
        ) as hospital_id
        from chosen as c order by c.id
        """,
    )
    run(
        con,
        "update assignment set to_day = m.day from moving as m "
        "where assignment.device_id = m.id and to_day = date '9999-12-31'",
    )
    run(
        con,
        "insert into assignment select id, hospital_id, day, date '9999-12-31' from moving "
        "order by id",
    )
    run(
        con,
        "update device set hospital_id = m.hospital_id, moved_at = midnight(m.day) "
        "+ interval 10 hour, dirt = 'reassigned_without_return' "
        "from moving as m where device.id = m.id",
    )


def _add_campaigns(con: Connection) -> None:
    """The campaigns as our own systems know them: by the names they had at first."""
    rows: list[tuple] = []
    numbers: Counter[str] = Counter()
    for medium, stem, _channel, number in reference.CAMPAIGNS:
        for n in range(1, number + 1):
            numbers[medium] += 1
            known = catalogue.MEDIA.get(medium)
            rows.append(
                (
                    len(rows) + 1,
                    f"{stem}_{n:02d}",
                    medium,
                    catalogue.campaign_id(medium, numbers[medium]) if known else None,
                    known.utm_source if known else "blog",
                    known.utm_medium if known else "referral",
                )
            )
    run(
        con,
        f"""
        create table campaign as
        select * from (values {_values(rows)})
            as v (id, campaign, medium, media_campaign_id, utm_source, utm_medium)
        order by id
        """,
    )


def _products(world: World) -> int:
    """Event products: a small company has more for its size, yet enough people for each."""
    return max(12, round(120 * world.scale**0.66))


def _add_event_products(con: Connection, world: World) -> None:
    sensitive = reference.SENSITIVE_CATEGORIES
    titles: dict[bool, list[str]] = {True: [], False: []}
    for category, words in reference.PRODUCT_CATEGORIES:
        titles[category in sensitive] += [f"{category}|{word}" for word in words]
    hospitals = world.count(300, least=12)
    start = literal(world.start)
    run(
        con,
        f"""
        create table event_product as
        with base as (
            select i as id, case when i % 4 = 0 then pick({literal(titles[True])}, rnd('pt', i))
                else pick({literal(titles[False])}, rnd('pt', i)) end as title
            from range(1, {_products(world) + 1}) as r (i)
        )
        select
            id, 1 + floor(rnd('ph', id) * {hospitals})::bigint as hospital_id,
            split_part(title, '|', 2) as title, split_part(title, '|', 1) as category,
            1000 * (19 + floor(rnd('pp', id) * 280))::bigint as price,
            1000 * (3 + floor(rnd('pf', id) * 38))::bigint as application_fee,
            '심의-' || lpad((id * 7)::varchar, 6, '0') as ad_review_no,
            {start} + (200 + floor(rnd('pe', id) * 400))::int as ad_review_expires,
            {start} - floor(rnd('ps', id) * 60)::int as starts_on,
            {start} + (240 + floor(rnd('pn', id) * 120))::int as ends_on,
            plus(midnight({start}), -86400 * (61 + rnd('pc', id) * 100)) as created_at,
            null::varchar as dirt,
        from base order by id
        """,
    )
    # Products that the same people like: what a member's taste is by `draw_product`.
    run(
        con,
        f"""
        create table taste as
        select list(products order by taste) as products from (
            select taste, list(id order by id) as products from (
                select id, row_number() over (order by rnd('pg', id), id) % {TASTES} as taste
                from event_product where category not in {sensitive}
            ) group by taste
        )
        """,
    )


def draw_product(world: World, member: str, salt: str, key: str) -> str:
    """SQL of the product that somebody looks at: mostly of the member's taste, else popular.

    `member` may be null; the relation `taste` has to be joined.
    """
    popular = f"1 + floor({_products(world)} * pow(rnd('{salt}', {key}), 1.4))::bigint"
    group = f"taste.products[1 + floor({TASTES} * rnd('taste', {member}))::bigint]"
    return (
        f"coalesce(case when {member} is not null and rnd('{salt}t', {key}) < {TASTE_SHARE} "
        f"then pick({group}, pow(rnd('{salt}', {key}), 1.3)) end, {popular})"
    )


def draw_active_member(salt: str, key: str) -> str:
    """SQL of a member drawn from those who had joined before the day: half the time an active one.

    The relation `members_before` of that day has to be joined as `mb`.
    """
    return (
        f"1 + floor(mb.n * case when rnd('{salt}a', {key}) < 0.5 "
        f"then {ACTIVE_SHARE} * rnd('{salt}', {key}) "
        f"else pow(rnd('{salt}', {key}), 1.3) end)::bigint"
    )


def _create_journeys(con: Connection) -> None:
    """The state tables that grow by the day."""
    for ddl in (
        "member (id bigint, phone varchar, name varchar, birth_date date, sex varchar, "
        "email varchar, ci varchar, sggu_cd varchar, join_channel varchar, campaign varchar, "
        "marketing_consent_at timestamp, health_consent_at timestamp, withdrawn_at timestamp, "
        "guardian_id bigint, created_at timestamp, touched_at timestamp, merged_at timestamp, "
        "erased_at timestamp, dirt varchar)",
        "member_merge (id bigint, from_id bigint, to_id bigint, merged_at timestamp)",
        "erasure (id bigint, member_id bigint, requested_at timestamp, reason varchar)",
        "booking (id bigint, member_id bigint, hospital_id bigint, doctor_id bigint, "
        "department_cd varchar, channel varchar, campaign varchar, created_at timestamp, "
        "slot_start timestamp, slot_day date, memo varchar, outcome varchar, "
        "confirmed_at timestamp, rescheduled_at timestamp, arrived_at timestamp, "
        "ended_at timestamp, dirt varchar)",
        "reception (id bigint, booking_id bigint, member_id bigint, hospital_id bigint, "
        "doctor_id bigint, department_cd varchar, channel varchar, device_id bigint, "
        "queue_no bigint, day date, outcome varchar, requested_at timestamp, "
        "accepted_at timestamp, called_at timestamp, started_at timestamp, ended_at timestamp, "
        "dirt varchar)",
        "prescription (id bigint, reception_id bigint, member_id bigint, hospital_id bigint, "
        "doctor_id bigint, issue_no varchar, issued_date date, valid_days bigint, "
        "insurance_type_cd varchar, pharmacy_ykiho varchar, created_at timestamp, "
        "sent_at timestamp, dispensed_at timestamp, memo varchar, dirt varchar)",
        "diagnosis (prescription_id bigint, seq bigint, kcd_code varchar, is_main boolean, "
        "created_at timestamp, dirt varchar)",
        "item (prescription_id bigint, line_no bigint, drug_code varchar, drug_name varchar, "
        "dose decimal(12, 5), times_per_day bigint, total_days bigint, usage_text varchar, "
        "in_house boolean, substituted varchar, covered_yn varchar, issued_date date, "
        "created_at timestamp, dirt varchar)",
        "dur_check (id bigint, prescription_id bigint, item_line bigint, kind varchar, "
        "counterpart_code varchar, override_reason_cd varchar, checked_at timestamp)",
        "payment (id bigint, reception_id bigint, order_no bigint, member_id bigint, "
        "hospital_id bigint, amount decimal(14, 2), covered decimal(14, 2), "
        "uncovered decimal(14, 2), method varchar, status varchar, created_at timestamp, "
        "cancelled_at timestamp, dirt varchar)",
        "tablet_session (id varchar, device_id bigint, hospital_id bigint, started_at timestamp, "
        "ended_at timestamp, end_reason varchar, last_screen varchar, member_id bigint, "
        "reception_id bigint, visitor_kind varchar, is_test boolean, dirt varchar)",
        "review (id bigint, member_id bigint, hospital_id bigint, reception_id bigint, "
        "event_product_id bigint, rating bigint, body varchar, hidden_yn varchar, "
        "photo_count bigint, helpful bigint, unhelpful bigint, visited_at timestamp, "
        "written_at timestamp, deleted_at timestamp, dirt varchar)",
        "lead (id bigint, event_product_id bigint, member_id bigint, campaign varchar, "
        "created_at timestamp, contacted_at timestamp, closed_at timestamp, outcome varchar, "
        "is_repeat boolean, deleted_at timestamp, dirt varchar)",
    ):
        run(con, f"create table {ddl}")


def _member_columns(world: World) -> str:
    families, givens = literal(reference.FAMILY_NAMES), literal(reference.GIVEN_NAMES)
    paid = "(select list(campaign order by id) from campaign where medium <> 'organic')"
    return f"""
        id, '010' || lpad(((id * 7919 + {world.seed * 104729}) % 19999999)::varchar,
            8, '0') as phone,
        pick({families}, rnd('f', id)) || pick({givens}, rnd('g', id)) as name,
        created_at::date - (365 * (3 + pow(rnd('age', id), 0.8) * 82))::int as birth_date,
        case when rnd('sex', id) < 0.58 then 'F' else 'M' end as sex,
        case when rnd('mail', id) < 0.8 then 'user' || id || '@example.com' end as email,
        to_base64(unhex(code('c1', id) || code('c2', id) || code('c3', id) || code('c4', id)))
            as ci,
        (select list(sggu_cd order by sggu_cd) from region)[
            1 + floor(pow(rnd('sggu', id), 1.3) * {len(reference.REGIONS)})::bigint] as sggu_cd,
        pick(['app', 'app', 'web', 'tablet', 'ad', 'ad', 'ad'], rnd('join', id)) as join_channel,
        case when rnd('acq', id) < 0.45 then pick({paid}, pow(rnd('acqc', id), 1.3)) end
            as campaign,
        case when rnd('mc', id) < 0.62 then plus(created_at, 20) end as marketing_consent_at,
        case when rnd('hc', id) < 0.4 then plus(created_at, 25) end as health_consent_at,
        case when rnd('wd', id) < 0.02 then plus(created_at, 86400 * (20 + rnd('wdt', id) * 700))
            end as withdrawn_at,
        case when birth_date > created_at::date - 5110
            then 1 + floor(rnd('guard', id) * greatest(id - 1, 1))::bigint end as guardian_id,
        created_at, created_at as touched_at, null::timestamp as merged_at,
        null::timestamp as erased_at, null::varchar as dirt
    """


def _add_old_members(con: Connection, world: World) -> None:
    total = world.count(28_000, least=200)
    run(
        con,
        f"""
        insert into member
        with base as (
            select i as id, plus(midnight({literal(world.start)}),
                -63072000 * (1 - (i - rnd('mt', i)) / {total}.0)) as created_at
            from range(1, {total + 1}) as r (i)
        )
        select {_member_columns(world)} from base order by id
        """,
    )


def _days(world: World, rate: float, weight: str, salt: str) -> str:
    """SQL of the arrivals of a kind: one row (day, n) for each, `rate` a day at weight one."""
    return (
        f"select day, unnest(range(floor({rate * world.scale} * {weight} + rnd('{salt}', day))"
        f"::bigint)) as n from calendar where day between {literal(world.first)} "
        f"and {literal(world.last)}"
    )


def _add_new_members(con: Connection, world: World) -> None:
    base = next_id(con, "member")
    run(
        con,
        f"""
        insert into member
        with arrivals as ({_days(world, 133, "app_weight", "nm")}), base as (
            select {base} + row_number() over (order by day, n) as id, day from arrivals
        ), timed as (
            select id, plus(midnight(day), 25200 + 57000 * rnd('mt', id)) as created_at from base
        )
        select {_member_columns(world)} from timed order by id
        """,
    )


def _count_members(con: Connection) -> None:
    """How many members each day may draw from: ids grow with the day of joining."""
    run(
        con,
        """
        create or replace temp table members_before as
        with joined as (
            select kst_day(created_at) as day, count(*) as n from member group by 1
        )
        select c.day, coalesce(sum(j.n) over (order by c.day rows between unbounded preceding
            and 1 preceding), 0)::bigint as n
        from calendar as c left join joined as j using (day)
        """,
    )


def _merge_members(con: Connection, world: World) -> None:
    """A person who changed their number has two accounts, sometimes three, which are merged."""
    groups = world.count(150, least=4) if world.is_founding else world.count(2, least=2)
    days = (world.last - world.first).days + 1
    salt = f"merge{world.last}"
    # Every fourth group is a chain a -> b -> c; the append extends older survivors in the same way.
    run(
        con,
        f"""
        create or replace temp table merging as
        with free as (
            select id, row_number() over (order by rnd('{salt}', id), id) - 1 as r from member
            where merged_at is null and erased_at is null and withdrawn_at is null
                and guardian_id is null and created_at < midnight({literal(world.first)})
        ), grouped as (
            select id, r // 3 as g from free where r < {groups * 3}
        ), ranked as (
            select id, g, row_number() over (partition by g order by id) as p from grouped
        )
        select a.id as from_id, b.id as to_id, a.g, a.p,
            plus({literal(world.now)}, -86400.0 * {days} * (1 - (a.p - 1 + 0.1
                + 0.8 * rnd('mm', a.id)) / 2.0)) as merged_at
        from ranked as a join ranked as b on a.g = b.g and b.p = a.p + 1
        where a.p = 1 or a.g % 4 = 0
        """,
    )
    base = next_id(con, "member_merge")
    run(
        con,
        f"""
        insert into member_merge
        select {base} + row_number() over (order by merged_at, from_id), from_id, to_id, merged_at
        from merging order by 1
        """,
    )
    run(
        con,
        """
        update member set name = s.name, birth_date = s.birth_date, sex = s.sex, ci = s.ci
        from (select m.to_id, a.* from merging as m join member as a on m.from_id = a.id
            where m.p = 1) as s
        where member.id = s.to_id
        """,
    )
    run(
        con,
        """
        update member set name = s.name, birth_date = s.birth_date, sex = s.sex, ci = s.ci
        from (select m.to_id, a.* from merging as m join member as a on m.from_id = a.id
            where m.p = 2) as s
        where member.id = s.to_id
        """,
    )
    run(
        con,
        """
        update member set merged_at = m.merged_at from merging as m where member.id = m.from_id
        """,
    )
    # Both sides are rewritten by the merge, so both carry its time.
    run(
        con,
        """
        update member set touched_at = s.touched_at from (
            select id, max(merged_at) as touched_at from (
                select from_id as id, merged_at from merging
                union all
                select to_id, merged_at from merging
            ) group by id
        ) as s where member.id = s.id
        """,
    )


def _draw_member(salt: str, id_column: str = "id") -> str:
    """SQL of a member drawn from those who had joined before the day (older ones return more)."""
    return f"1 + floor(mb.n * pow(rnd('{salt}', {id_column}), 1.3))::bigint"


def _draw_hospital(world: World, salt: str) -> str:
    """SQL of a clinic: mostly the member's usual one, else a popular one."""
    n = world.count(300, least=12)
    return (
        f"1 + floor({n} * pow(case when rnd('{salt}w', id) < 0.6 then rnd('home', member_id) "
        f"else rnd('{salt}', id) end, 1.5))::bigint"
    )


def _add_bookings(con: Connection, world: World) -> None:
    base = next_id(con, "booking")
    paid = "(select list(campaign order by id) from campaign)"
    run(
        con,
        f"""
        insert into booking
        with arrivals as ({_days(world, 285, "app_weight", "nb")}), base as (
            select {base} + row_number() over (order by day, n) as id, day from arrivals
        ), who as (
            select b.id, b.day, {_draw_member("bm")} as member_id,
                plus(midnight(b.day), 25200 + 57000 * rnd('bt', b.id)) as created_at
            from base as b join members_before as mb using (day)
        ), place as (
            select w.*, {_draw_hospital(world, "bh")} as hospital_id,
                day + least(28, floor(-ln(1 - rnd('lead', id)) * 4))::int as wanted,
            from who as w
        ), slot as (
            select p.*, o.first_id + floor(rnd('bd', p.id) * o.n)::bigint as doctor_id,
                c.next_open as slot_day, c2.next_open as fallback_day,
                floor(rnd('slot', p.id) * 17)::bigint as slot_no
            from place as p
            join doctors_of as o on p.hospital_id = o.hospital_id
            join calendar as c on p.wanted = c.day
            join calendar as c2 on p.day + 1 = c2.day
        ), slot_time as (
            select s.*, midnight(slot_day) + to_minutes(540 + 30 * case
                when isodow(slot_day) = 6 then slot_no // 2 else slot_no end) as wanted_start,
                midnight(fallback_day) + to_minutes(540 + 30 * (slot_no // 2)) as fallback_start
            from slot as s
        ), chosen as (
            select * exclude (slot_day), case when wanted_start > created_at + interval 1 hour
                then wanted_start else fallback_start end as slot_start,
                case when wanted_start > created_at + interval 1 hour
                then slot_day else fallback_day end as slot_day,
                rnd('outcome', id) as u
            from slot_time
        ), fixed as (
            -- The desk moves who would share a doctor's slot by ten minutes, mostly.
            select * replace (slot_start + to_minutes(case when rnd('double', id) < 0.1 then 0
                else 10 * least(2, row_number() over (partition by doctor_id, slot_start
                    order by id) - 1) end) as slot_start)
            from chosen
        ), fate as (
            select f.*, case when u < 0.03 then 'rejected' when u < 0.05 then 'expired'
                when u < 0.17 then 'cancelled_patient' when u < 0.20 then 'cancelled_hospital'
                when u < 0.28 then 'no_show' else 'completed' end as outcome,
                epoch(slot_start - created_at) as gap
            from fixed as f
        ), told as (
            select f.*, case when outcome not in ('rejected', 'expired') then
                plus(created_at, floor(least(60 + 7000 * rnd('conf', id), gap / 2))) end
                as confirmed_at
            from fate as f
        ), ended as (
            select t.*, case outcome
                when 'rejected' then plus(created_at, floor(least(120 + 9000 * rnd('rej', id),
                    gap / 2)))
                when 'expired' then least(created_at + interval 24 hour, slot_start)
                when 'no_show' then slot_start + interval 1 hour
                when 'completed' then null
                else plus(confirmed_at, floor(epoch(slot_start - confirmed_at)
                    * (1 - pow(rnd('canc', id), 2)))) end as ended_at,
                case when outcome = 'completed' then greatest(plus(slot_start,
                    floor(-900 + 1200 * rnd('arr', id))), plus(confirmed_at, 1)) end as arrived_at
            from told as t
        )
        select
            e.id, e.member_id, e.hospital_id, e.doctor_id,
            d.specialty_cd as department_cd,
            case when rnd('bch', e.id) < 0.86 then 'app_booking' else 'phone' end as channel,
            case when rnd('bc', e.id) < 0.25 then pick({paid}, pow(rnd('bcc', e.id), 1.3))
                when rnd('bc', e.id) < 0.6 then m.campaign end as campaign,
            e.created_at, e.slot_start, e.slot_day,
            case when rnd('memo', e.id) < 0.2
                then pick({literal(reference.BOOKING_MEMOS)}, rnd('memot', e.id)) end as memo,
            e.outcome, e.confirmed_at,
            case when e.outcome in ('completed', 'no_show', 'cancelled_patient')
                and rnd('resch', e.id) < 0.05 then plus(e.confirmed_at, floor(0.5 * epoch(
                    coalesce(e.arrived_at, e.ended_at) - e.confirmed_at))) end as rescheduled_at,
            e.arrived_at, e.ended_at, null as dirt
        from ended as e
        join member as m on e.member_id = m.id
        join doctor as d on e.doctor_id = d.id
        where coalesce(m.withdrawn_at, e.slot_start) >= e.slot_start
            and coalesce(m.merged_at, e.slot_start) >= e.slot_start
            and coalesce(m.erased_at, e.slot_start) >= e.slot_start
        order by e.id
        """,
    )


def _add_receptions(con: Connection, world: World) -> None:
    base = next_id(con, "reception")
    first, last = literal(world.first), literal(world.last)
    run(
        con,
        f"""
        create or replace temp table visiting as
        with arrivals as ({_days(world, 520, "clinic_weight", "nr")}), base as (
            select row_number() over (order by day, n) as id, day from arrivals
        ), keyed as (
            select 1000000000000 + (day - date '2020-01-01') * 1000000000
                + row_number() over (partition by day order by id) as id, day from base
        ), who as (
            select k.id, k.day, {_draw_member("rm", "k.id")} as member_id,
                midnight(k.day) + to_seconds(31800 + floor(case when c.short_day then 12600
                    else 30600 end * pow(rnd('rt', k.id), 1.35))::bigint) as requested_at
            from keyed as k join members_before as mb using (day) join calendar as c using (day)
        )
        select id as key, null::bigint as booking_id, member_id,
            {_draw_hospital(world, "rh")} as hospital_id, null::bigint as doctor_id, day,
            requested_at
        from who
        union all
        select id, id, member_id, hospital_id, doctor_id, slot_day,
            plus(arrived_at, 20)
        from booking
        where outcome = 'completed' and slot_day between {first} and {last}
        """,
    )
    # The device is one of those standing in the clinic on that day.
    run(
        con,
        """
        create or replace temp table standing as
        select v.key, min_by(a.device_id, hash(hash(v.key, a.device_id))) as device_id
        from visiting as v
        join assignment as a
            on v.hospital_id = a.hospital_id and v.day >= a.from_day and v.day < a.to_day
        group by v.key
        """,
    )
    run(
        con,
        f"""
        insert into reception
        with placed as (
            select v.*, s.device_id as near_id, e.kind, h.emr_vendor,
                coalesce(v.doctor_id, o.first_id + floor(rnd('rd', v.key) * o.n)::bigint)
                    as seen_by,
                rnd('rch', v.key) as c, rnd('ro', v.key) as u
            from visiting as v
            join hospital as h on v.hospital_id = h.id
            join doctors_of as o on v.hospital_id = o.hospital_id
            left join standing as s on v.key = s.key
            left join device as e on s.device_id = e.id
            join member as m on v.member_id = m.id
            where v.booking_id is not null or (
                coalesce(m.withdrawn_at, v.requested_at) >= v.requested_at
                and coalesce(m.merged_at, v.requested_at) >= v.requested_at
                and coalesce(m.erased_at, v.requested_at) >= v.requested_at)
        ), channelled as (
            select p.*, case
                when near_id is not null and c < 0.46 then kind
                when c < 0.62 then 'app_reception'
                when c < 0.95 or booking_id is not null then 'desk'
                else 'phone' end as channel,
                case when booking_id is not null then 'completed'
                when u < 0.01 then 'rejected'
                when u < 0.016 or (u < 0.035 and emr_vendor = 'eghis') then 'sync_failed'
                when u < 0.065 then 'cancelled_patient'
                when u < 0.075 then 'cancelled_hospital'
                when u < 0.115 then 'auto_cancelled_absent'
                when u < 0.13 then 'expired_day_end'
                else 'completed' end as outcome
            from placed as p
        ), accepted as (
            select k.*, case when outcome not in ('rejected', 'sync_failed') then
                plus(requested_at, floor(2 + 58 * rnd('acc', key))) end as accepted_at,
                60 + floor(least(7200, -ln(1 - rnd('wait', key)) * case
                    when booking_id is null then 1100 else 480 end)) as wait_s
            from channelled as k
        ), called as (
            select a.*, case when outcome in ('completed', 'auto_cancelled_absent')
                then plus(accepted_at, wait_s) end as called_at
            from accepted as a
        ), started as (
            select c.*, case when outcome = 'completed'
                then plus(called_at, floor(15 + 170 * rnd('st', key))) end as started_at
            from called as c
        )
        select
            {base} + row_number() over (order by s.requested_at, s.key) as id,
            s.booking_id, s.member_id, s.hospital_id, s.seen_by, d.specialty_cd, s.channel,
            case when s.channel = s.kind then s.near_id end,
            row_number() over (partition by s.hospital_id, s.day order by s.requested_at, s.key),
            s.day, s.outcome, s.requested_at, s.accepted_at, s.called_at, s.started_at,
            case s.outcome
                when 'completed' then plus(s.started_at, floor(150 + 1000 * rnd('fin', s.key)))
                when 'rejected' then plus(s.requested_at, 30)
                when 'sync_failed' then plus(s.requested_at, 45)
                when 'auto_cancelled_absent' then s.called_at + interval 30 minute
                when 'expired_day_end' then midnight(s.day) + interval 1470 minute
                else plus(s.accepted_at, floor(s.wait_s * (0.2 + 0.7 * rnd('rc', s.key)))) end,
            null
        from started as s join doctor as d on s.seen_by = d.id
        order by 1
        """,
    )
    # A clinic stays open until its last patient has left: the booking ends with the visit.
    run(
        con,
        f"""
        update booking set ended_at = plus(r.ended_at, 60) from reception as r
        where r.booking_id = booking.id and r.day between {first} and {last}
        """,
    )


def _offenders(world: World, weight: str, salt: str, days: int) -> str:
    """SQL of the people of a day (day, n) who go too far: where they can, with two accounts that
    are merged `days` later or more (first_id, then_id), else with one. The company has one at
    least, on its second day.
    """
    return f"""
        with arrivals as (
            select day, unnest(range(greatest(
                floor({2 * world.scale} * {weight} + rnd('{salt}', day))::bigint,
                case when day = {literal(world.start)} + 1 then 1 else 0 end))) as n
            from calendar where day between {literal(world.first)} and {literal(world.last)}
        ), merged as (
            select a.day, a.n, m.from_id, m.to_id from arrivals as a
            join member_merge as m on m.merged_at > midnight(a.day + {days})
            qualify row_number() over (partition by a.day, a.n
                order by rnd('{salt}m' || a.day || '-' || a.n, m.id), m.id) = 1
        ), alone as (
            select a.day, a.n, b.id from arrivals as a
            join members_before as mb using (day)
            join member as b on b.id <= mb.n and b.withdrawn_at is null and b.erased_at is null
                and b.merged_at is null
            qualify row_number() over (partition by a.day, a.n
                order by rnd('{salt}a' || a.day || '-' || a.n, b.id), b.id) = 1
        )
        select l.day, l.n,
            coalesce(m.from_id, l.id) as first_id, coalesce(m.to_id, l.id) as then_id,
            o.hospital_id, o.first_id as doctor_id, d.specialty_cd as department_cd,
            (l.day - date '2020-01-01') * 1000 + l.n as key
        from alone as l left join merged as m using (day, n)
        join doctors_of as o
            on o.hospital_id = 1 + ((l.day - date '2020-01-01') + l.n * 7) % {world.count(300, 12)}
        join doctor as d on d.id = o.first_id
    """


def _add_offenders(con: Connection, world: World) -> None:
    """A few people book three times and never come, or give up three places of a day: the apps
    block them. They call, so nothing else follows from what they do."""
    base = next_id(con, "booking")
    run(
        con,
        f"""
        insert into booking
        with who as ({_offenders(world, "app_weight", "offb", 12)}), visits as (
            select w.*, k, c.next_open as slot_day,
                plus(midnight(w.day), 43200 + floor(3600 * rnd('offt', w.key))) as created_at
            from who as w cross join range(1, 4) as r (k)
            join calendar as c on c.day = w.day + (2 * k)::int
        )
        select {base} + row_number() over (order by day, n, k),
            case k when 1 then first_id else then_id end, hospital_id, doctor_id, department_cd,
            'phone', null, created_at, midnight(slot_day) + interval 1060 minute, slot_day, null,
            'no_show', created_at + interval 10 minute, null, null,
            midnight(slot_day) + interval 1120 minute, null
        from visits order by 1
        """,
    )
    base = next_id(con, "reception")
    run(
        con,
        f"""
        insert into reception
        with who as ({_offenders(world, "clinic_weight", "offr", 1)}), visits as (
            select w.*, k, case k when 2 then 'auto_cancelled_absent' else 'cancelled_patient' end
                as outcome, midnight(w.day) + to_minutes(480 + 100 * k) as requested_at
            from who as w cross join range(1, 4) as r (k)
        ), numbered as (
            select hospital_id, day, max(queue_no) as last_no from reception group by all
        )
        select {base} + row_number() over (order by day, n, k), null,
            case k when 1 then first_id else then_id end, hospital_id, doctor_id, department_cd,
            'phone', null, coalesce(last_no, 0)
                + row_number() over (partition by hospital_id, day order by requested_at, n),
            day, outcome, requested_at, requested_at + interval 30 second,
            case k when 2 then requested_at + interval 10 minute end, null,
            requested_at + to_minutes(case k when 2 then 40 else 15 end), null
        from visits left join numbered using (hospital_id, day) order by 1
        """,
    )


def _add_prescriptions(con: Connection, world: World) -> None:
    base = next_id(con, "prescription")
    dur_base = next_id(con, "dur_check")
    first, last = literal(world.first), literal(world.last)
    run(
        con,
        f"""
        create or replace temp table prescribing as
        select {base} + row_number() over (order by r.ended_at, r.id) as id,
            r.id as reception_id, r.* exclude (id)
        from reception as r join hospital as h on r.hospital_id = h.id
        where r.outcome = 'completed' and r.day between {first} and {last}
            and h.cl_cd <> '93' and rnd('rx', r.id) < 0.69
        order by r.ended_at, r.id
        """,
    )
    run(
        con,
        """
        insert into prescription
        select
            id, case when rnd('rxr', id) < 0.98 then reception_id end, member_id, hospital_id,
            doctor_id, issue_no, day, valid_days, insurance, pharmacy, created_at, sent_at,
            case when rnd('disp', id) < 0.87 then plus(coalesce(sent_at, created_at),
                floor(300 + 86400 * valid_days * 0.8 * pow(rnd('dispt', id), 4))) end,
            case when rnd('rxm', id) < 0.04 then pick(['식후 복용 안내', '대체조제 불가',
                '보호자 수령 예정'], rnd('rxmt', id)) end,
            null
        from (
            select id, reception_id, member_id, hospital_id, doctor_id,
                strftime(day, '%Y%m%d') || '-' || lpad(queue_no::varchar, 5, '0') as issue_no,
                day, 3 + floor(rnd('vd', id) * 5)::bigint as valid_days,
                case when rnd('ins', id) < 0.93 then '4' when rnd('ins', id) < 0.98 then '5'
                    else '7' end as insurance,
                case when rnd('ph', id) < 0.7 then to_base64(unhex(
                    code('p1', (rnd('phn', id) * 200)::int)
                    || code('p2', (rnd('phn', id) * 200)::int)
                    || code('p3', (rnd('phn', id) * 200)::int)
                    || substr(code('p4', (rnd('phn', id) * 200)::int), 1, 24))) end as pharmacy,
                plus(ended_at, 30) as created_at,
                case when rnd('ph', id) < 0.7 then plus(ended_at, 90) end as sent_at
            from prescribing
        ) order by id
        """,
    )
    run(
        con,
        """
        insert into diagnosis
        select id, seq, pick(codes, rnd('dx' || seq, id)), seq = 1, plus(ended_at, 30), null from (
            select p.id, p.ended_at, unnest(case when rnd('dx2', p.id) < 0.35
                then [1, 2] else [1] end) as seq, d.kcd as codes
            from prescribing as p join department as d on p.department_cd = d.code
        ) as x
        order by id, seq
        """,
    )
    run(
        con,
        """
        insert into item
        with lines as (
            select id, day, ended_at, member_id, unnest(range(1, 2
                + floor(rnd('nl', id) * 5)::bigint
                + case when rnd('many', id) < 0.04 then 4 else 0 end)) as line_no
            from prescribing
        ), keyed as (
            select *, id * 16 + line_no as key,
                (select count(*) from drug_stable) as n from lines
        )
        select
            k.id, k.line_no, s.drug_code, s.name,
            case when s.route = 'A' then pick([1, 1, 1, 1, 0.5, 2], rnd('dose', k.key))
                else 1 end::decimal(12, 5),
            case when s.route = 'B' then 1 else pick([3, 3, 3, 2, 2, 1], rnd('freq', k.key)) end,
            case when s.route = 'B' then 1
                when rnd('chron', k.id) < 0.12 then pick([28, 30, 60, 90], rnd('len', k.key))
                else 3 + floor(rnd('len', k.key) * 5)::bigint end,
            case s.route when 'B' then '원내 주사' when 'C' then '환부에 바름'
                else pick(['식후 30분', '식전 30분', '취침 전'], rnd('use', k.key)) end,
            s.route = 'B',
            case when s.route <> 'B' and rnd('subst', k.key) < 0.02 then s2.drug_code end,
            case when rnd('cov', k.key) < 0.94 then 'Y' else 'N' end,
            k.day, plus(k.ended_at, 30), null
        from keyed as k
        -- some people take one drug for years, which stands first whenever they come
        join drug_stable as s on s.no = 1 + floor(k.n * pow(case
            when k.line_no = 1 and rnd('years', k.member_id) < 0.3 then rnd('always', k.member_id)
            else rnd('drug', k.key) end, 1.8))::bigint
        join drug_stable as s2 on s2.no = 1 + (s.no % k.n)
        order by k.id, k.line_no
        """,
    )
    run(
        con,
        f"""
        insert into dur_check
        select {dur_base} + row_number() over (order by id, line_no), id, line_no,
            pick(['concomitant', 'age', 'pregnancy', 'max_dose', 'max_days',
                'efficacy_duplication', 'elderly', 'same_ingredient'], rnd('durk', key)),
            case when rnd('durk', key) < 0.125 or rnd('durk', key) > 0.875 then counterpart end,
            case when rnd('duro', key) < 0.6 then pick(['A1', 'A2', 'B1', 'C3'],
                rnd('duroc', key)) end,
            plus(ended_at, 25)
        from (
            select p.id, i.line_no, p.id * 16 + i.line_no as key, p.ended_at,
                i.drug_code as counterpart
            from prescribing as p join item as i on i.prescription_id = p.id
            where rnd('dur', p.id * 16 + i.line_no) < 0.03
        ) order by id, line_no
        """,
    )


def _add_payments(con: Connection, world: World) -> None:
    base = next_id(con, "payment")
    run(
        con,
        f"""
        insert into payment
        with paid as (
            select id as reception_id, member_id, hospital_id, plus(ended_at, 120) as created_at,
                100 * (30 + floor(120 * rnd('cop', id)))::bigint as covered,
                case when rnd('unc', id) < 0.25
                    then 1000 * (10 + floor(150 * pow(rnd('unca', id), 2)))::bigint
                    else 0 end as uncovered
            from reception
            where outcome = 'completed' and rnd('pay', id) < 0.86
                and day between {literal(world.first)} and {literal(world.last)}
        )
        select {base} + row_number() over (order by created_at, reception_id) as id,
            case when rnd('payr', reception_id) < 0.985 then reception_id end,
            {base} + row_number() over (order by created_at, reception_id) as order_no,
            member_id, hospital_id, covered + uncovered, covered, uncovered,
            case when rnd('meth', reception_id) < 0.72 then 'card'
                when rnd('meth', reception_id) < 0.84 then 'kakaopay'
                when rnd('meth', reception_id) < 0.92 then 'naverpay' else 'cash' end,
            'paid', created_at,
            case when rnd('payc', reception_id) < 0.012
                then plus(created_at, floor(600 + 172800 * rnd('payct', reception_id))) end,
            null
        from paid order by 1
        """,
    )
    base = next_id(con, "payment")
    # A partial refund is a negative row of the same order, some days after.
    run(
        con,
        f"""
        insert into payment
        select {base} + row_number() over (order by created_at, id), reception_id, order_no,
            member_id, hospital_id, -floor(amount / 200) * 100, 0, -floor(amount / 200) * 100,
            method, 'refunded',
            plus(created_at, floor(7200 + 432000 * rnd('ref', id))), null, 'partial_refund'
        from payment
        where status = 'paid' and cancelled_at is null and amount >= 20000
            and kst_day(created_at) between {literal(world.first)} and {literal(world.last)}
            and rnd('refund', id) < 0.05
        order by 1
        """,
    )


def _add_tablet_sessions(con: Connection, world: World) -> None:
    first, last = literal(world.first), literal(world.last)
    run(
        con,
        f"""
        insert into tablet_session
        select * from (
            select ident('ts', id) as id, device_id, hospital_id,
                plus(requested_at, -floor(25 + 150 * pow(rnd('tsl', id), 2))) as started_at,
                coalesce(accepted_at, plus(requested_at, 10)) as ended_at,
                case when outcome = 'sync_failed' then 'failed_emr'
                    when accepted_at is null or rnd('ack', id) < 0.3 then 'submitted'
                    else 'emr_acked' end as end_reason,
                case when outcome = 'sync_failed' then 'submit' else 'done' end as last_screen,
                case when rnd('tsm', id) < 0.72 then member_id end as member_id,
                id as reception_id,
                case when rnd('kindv', member_id) < 0.35 then 'new' else 'return' end
                    as visitor_kind,
                false as is_test, null as dirt
            from reception
            where device_id is not null and day between {first} and {last}
            union all
            select ident('ta', id), device_id, hospital_id,
                plus(requested_at, -floor(400 + 900 * rnd('tas', id))),
                plus(requested_at, -floor(400 + 900 * rnd('tas', id))
                    + floor(15 + 180 * rnd('tal', id))),
                pick(['abandoned_timeout', 'abandoned_timeout', 'abandoned_back',
                    'failed_network'], rnd('tar', id)),
                pick(['start', 'identify', 'identify', 'consent', 'visit_reason', 'submit'],
                    rnd('tasc', id)), null, null,
                case when rnd('kindv', member_id) < 0.5 then 'new' else 'return' end, false, null
            from reception
            where device_id is not null and day between {first} and {last}
                and rnd('aband', id) < 0.22
            union all
            select ident('tt', id), device_id, hospital_id,
                midnight(day) + interval 19 hour
                    + to_seconds(floor(1800 * rnd('ttt', id))::bigint),
                midnight(day) + interval 19 hour
                    + to_seconds(floor(1800 * rnd('ttt', id))::bigint + 40),
                'submitted', 'done', null, null, 'new', true, 'test_session'
            from reception
            where device_id is not null and day between {first} and {last}
                and (rnd('testing', id) < 0.012 or {world.is_founding} and id in (
                    select id from reception where device_id is not null order by id limit 2))
        ) order by started_at, id
        """,
    )


def _add_reviews(con: Connection, world: World) -> None:
    base = next_id(con, "review")
    run(
        con,
        f"""
        insert into review
        with treated as (
            select hash('visit', id) as key, ended_at, member_id, hospital_id,
                case when rnd('rvr', id) < 0.9 then id end as reception_id,
                null as event_product_id
            from reception
            where outcome = 'completed' and rnd('rev', id) < 0.082
                and member_id not in (select id from member where erased_at is not null)
                and day between {literal(world.first)} and {literal(world.last)}
            union all
            select hash('lead', l.id), l.closed_at, l.member_id, p.hospital_id, null, p.id
            from lead as l join event_product as p on l.event_product_id = p.id
            where l.outcome = 'booked' and l.closed_at is not null and not l.is_repeat
                and rnd('rvl', l.id) < 0.4
                and kst_day(l.created_at) between {literal(world.first)} and {literal(world.last)}
        )
        select {base} + row_number() over (order by ended_at, key), member_id, hospital_id,
            reception_id, event_product_id,
            pick([5, 5, 5, 5, 4, 4, 3, 2, 1], rnd('rate', key)),
            pick({literal(reference.REVIEW_TEXTS)}, rnd('rvt', key)),
            case when rnd('hid', key) < 0.02 then 'Y' else 'N' end,
            case when rnd('rvp', key) < 0.25 then 1 + floor(5 * rnd('rvpn', key))::bigint
                else 0 end,
            floor(-24 * ln(1 - rnd('rvh', key)) * pow(rnd('rvg', key), 2))::bigint,
            floor(-9 * ln(1 - rnd('rvu', key)) * pow(1 - rnd('rvg', key), 2))::bigint,
            ended_at, plus(ended_at, floor(1800 + 432000 * pow(rnd('rvw', key), 2))), null, null
        from treated order by 1
        """,
    )


def _add_event_leads(con: Connection, world: World) -> None:
    base = next_id(con, "lead")
    paid = "(select list(campaign order by id) from campaign)"
    run(
        con,
        f"""
        insert into lead
        with arrivals as ({_days(world, 92, "app_weight", "nl")}), base as (
            select {base} + row_number() over (order by day, n) as id, day from arrivals
        ), who as (
            select b.id, b.day, {draw_active_member("lm", "id")} as member_id,
                plus(midnight(b.day), 25200 + 57000 * rnd('lt', b.id)) as created_at
            from base as b join members_before as mb using (day)
        ), wanted as (
            select w.*, {draw_product(world, "member_id", "lp", "id")} as product_id
            from who as w cross join taste
        ), first_only as (
            select * from wanted
            qualify row_number() over (partition by day, member_id, product_id order by id) = 1
        )
        select f.id, product_id, member_id,
            case when rnd('lc', f.id) < 0.7 then pick({paid}, pow(rnd('lcc', f.id), 1.3))
                when rnd('lc', f.id) < 0.85 then m.campaign end,
            f.created_at,
            case when rnd('lcon', f.id) < 0.8
                then plus(f.created_at, floor(3600 + 100000 * rnd('lcont', f.id))) end,
            case when rnd('lcon', f.id) < 0.5
                then plus(f.created_at, floor(110000 + 300000 * rnd('lend', f.id))) end,
            case when rnd('lo', f.id) < 0.7 then 'booked' else 'cancelled' end, false, null, null
        from first_only as f join member as m on f.member_id = m.id
        where coalesce(m.withdrawn_at, f.created_at) >= f.created_at
            and coalesce(m.merged_at, f.created_at) >= f.created_at
            and coalesce(m.erased_at, f.created_at) >= f.created_at
        order by f.id
        """,
    )
    # An impatient finger: the same application again within seconds.
    top = next_id(con, "lead")
    again = round((top - base) * 0.02)
    run(
        con,
        f"""
        insert into lead
        select {top} + row_number() over (order by id), event_product_id, member_id, campaign,
            plus(created_at, floor(2 + 30 * rnd('rep', id))), contacted_at, closed_at, outcome,
            true, null, 'repeat_in_seconds'
        from (select * from lead where id > {base} order by rnd('repeat', id), id
            limit {max(2, again) if world.is_founding else again})
        order by id
        """,
    )


def _erase_members(con: Connection, world: World) -> None:
    """A few people ask to be erased: their account, reviews and applications go for good."""
    base = next_id(con, "erasure")
    number = world.count(12, least=2) if world.is_founding else world.count(1)
    run(
        con,
        f"""
        insert into erasure
        select {base} + row_number() over (order by requested_at, id), id, requested_at,
            pick(['탈퇴 및 삭제 요청', '개인정보 삭제 요청'], rnd('err', id))
        from (
            select id, midnight({literal(world.last)}) + to_minutes(
                600 + floor(600 * rnd('ert', id))::bigint) as requested_at
            from member
            where merged_at is null and erased_at is null and guardian_id is null
                and created_at < midnight({literal(world.first)})
                and id not in (select to_id from member_merge)
                and id not in (select guardian_id from member where guardian_id is not null)
            order by rnd('erase{world.last}', id), id limit {number}
        ) order by 1
        """,
    )
    run(
        con,
        f"update member set erased_at = e.requested_at from erasure as e "
        f"where e.member_id = member.id and e.id > {base}",
    )
    for table in ("review", "lead"):
        run(
            con,
            f"update {table} set deleted_at = e.requested_at from erasure as e "
            f"where e.member_id = {table}.member_id and {table}.deleted_at is null",
        )


def change_clinics(con: Connection, world: World) -> None:
    """What changes at the clinics on a day: one clinic by hand, several by a bulk script that
    leaves `updated_at` alone, and a device that is carried elsewhere."""
    day = literal(world.last)
    run(
        con,
        f"""
        update hospital set updated_at = midnight({day}) + interval 11 hour,
            touched_at = midnight({day}) + interval 11 hour,
            contract_status = case contract_status when 'active' then 'paused' else 'active' end
        where id = (select id from hospital where visited and dirt is null
            order by rnd('change{world.last}', id), id limit 1)
        """,
    )
    run(
        con,
        f"""
        update hospital set touched_at = midnight({day}) + interval 13 hour,
            tel = regexp_replace(tel, '^02-', '070-'), vendor_version = '5.1.0',
            addr = addr || ' 1층'
        where id in (select id from hospital where visited and addr not like '%1층'
            order by rnd('bulk{world.last}', id), id limit {world.count(9, least=2)})
        """,
    )
    move_devices(con, world, 1, day, f"moved{world.last}")


def _delete_rows(con: Connection, world: World) -> None:
    """Rows that are removed without a trace: reviews taken down, applications withdrawn."""
    removed = f"midnight({literal(world.last)}) + interval 14 hour"
    run(
        con,
        f"""
        update review set deleted_at = {removed} where id in (
            select id from review where deleted_at is null and written_at < {literal(world.before)}
            order by rnd('down{world.last}', id), id limit {world.count(4)}
        )
        """,
    )
    # One of a pair of repeated applications stays or goes with the other.
    run(
        con,
        f"""
        update lead set deleted_at = {removed} where id in (
            select l.id from lead as l anti join lead as r on r.is_repeat
                and r.member_id = l.member_id and r.event_product_id = l.event_product_id
            where l.deleted_at is null and l.created_at < {literal(world.before)}
            order by rnd('gone{world.last}', l.id), l.id limit {world.count(4)}
        )
        """,
    )

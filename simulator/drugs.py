"""HIRA reference data in the shapes HIRA publishes: monthly price lists of invented products,
and quarterly registry releases of institutions."""

import csv
import io
import json
from pathlib import Path

import duckdb

from simulator.files import Tally, write_bytes
from simulator.world import World, literal, run

PRODUCTS = 3000
PRICE_HEADER = "표준코드,제품코드,제품명,규격,단위,상한금액,업체명,주성분코드,주성분명,투여,분류"
_ROUTES = {"A": "내복", "B": "주사", "C": "외용"}


def months(world: World) -> list[str]:
    """Months with a price list: from the one before the start to that of the last day."""
    first = world.start.year * 12 + world.start.month - 2
    last = world.last.year * 12 + world.last.month - 1
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(first, last + 1)]


def add_price_lists(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Make every month's list anew (a product's story depends on the seed alone), the versions
    of the products, and the products that are always listed."""
    names = months(world)
    run(
        con,
        f"""
        create or replace table drug_list as
        with product as (
            select i as id, 1 + floor(pow(rnd('comp', i), 1.2) * 60)::bigint as company_no,
                1 + floor(rnd('ingr', i) * 420)::bigint as ingredient_no,
                case when rnd('van', i) < 0.03 then 1 + floor(rnd('vant', i) * 10)::bigint
                    else 1000 end as gone_from,
                case when rnd('new', i) < 0.03 then 1 + floor(rnd('newt', i) * 10)::bigint
                    else 0 end as listed_from,
                round(20 * exp(rnd('price', i) * 4))::bigint as base_price
            from range(1, {PRODUCTS + 1}) as r (i)
        ), substance as (
            select i as ingredient_no,
                pick(['vel', 'mor', 'tan', 'qui', 'lev', 'zor', 'pra', 'sol', 'ner', 'dax'],
                    rnd('i1', i))
                || pick(['ami', 'ofe', 'ela', 'uri', 'ota', 'eno', 'ixi'], rnd('i2', i))
                || pick(['prine', 'xacin', 'zole', 'statin', 'pril', 'fen', 'mide'],
                    rnd('i3', i)) as ingredient,
                pick(['라', '모', '베', '티', '소', '네', '유', '다'], rnd('k1', i))
                || pick(['비', '란', '토', '메', '큐', '나'], rnd('k2', i))
                || pick(['정', '진', '펜', '졸', '민', '신'], rnd('k3', i)) as korean,
                case when rnd('route', i) < 0.8 then 'A' when rnd('route', i) < 0.92 then 'B'
                    else 'C' end as route,
                pick(['114', '217', '218', '222', '229', '232', '396', '618', '629', '141'],
                    rnd('class', i)) as efficacy,
                case when rnd('salt', i) < 0.3 then ' ' || pick(['hydrochloride', 'sodium',
                    'maleate'], rnd('saltn', i)) else '' end as salt
            from range(1, 421) as r (i)
        ), described as (
            select p.*, s.ingredient, s.salt, s.korean, s.route, s.efficacy,
                case s.route when 'A' then pick(['TB', 'TB', 'TB', 'CH', 'TR', 'SY'],
                    rnd('form', p.id)) when 'B' then 'IJ'
                    else pick(['CM', 'OS', 'LQ'], rnd('form', p.id)) end as form,
                case when company_no <= 4 then lpad((500 + company_no * 7)::varchar, 4, '0')
                    else (6200 + company_no * 11)::varchar end as company_code,
                row_number() over (partition by company_no order by p.id) as product_no,
                1 + floor(rnd('strength', p.id) * 6)::bigint as strength
            from product as p join substance as s using (ingredient_no)
        ), months as (
            select unnest({literal(names)}) as month, unnest(range({len(names)})) as m
        ), changed as (
            select d.*, month, m,
                list_sum(list_transform(range(1, m + 1),
                    lambda k: (rnd('pc' || k, id) < 0.03)::int)) as price_changes,
                list_sum(list_transform(range(1, m + 1),
                    lambda k: (rnd('nc' || k, id) < 0.004)::int)) as renames,
                list_sum(list_transform(range(1, m + 1),
                    lambda k: (rnd('cc' || k, id) < 0.004)::int)) as sales
            from described as d cross join months
            where m >= listed_from and m < gone_from
        ), coded as (
            select *, company_code || lpad((product_no * 10 % 10000)::varchar, 4, '0')
                || case when rnd('pack', id) < 0.86 then '0' else '1' end as drug_code
            from changed
        )
        select
            month, m, id as product_id, drug_code,
            case when rnd('kd', id) >= 0.06 then '880' || substr(drug_code, 1, 8)
                || floor(rnd('kd1', id) * 10)::int || floor(rnd('kd2', id) * 10)::int
                else '' end as kd_code,
            korean || case when coalesce(renames, 0) > 0 then '플러스' else '' end
                || case form when 'CH' then '캡슐' when 'SY' then '시럽' when 'IJ' then '주'
                    when 'CM' then '크림' when 'OS' then '점안액' when 'LQ' then '액'
                    when 'TR' then '서방정' else '정' end
                || strength * 10 || case when rnd('comma', id) < 0.05
                    then '밀리그램(' || ingredient || ', 복합)' else '밀리그램' end
                || '_(' || strength * 10 || 'mg/1'
                || case form when 'CH' then '캡슐' when 'IJ' then '병' when 'SY' then 'mL'
                    when 'CM' then 'g' when 'OS' then 'mL' when 'LQ' then 'mL' else '정' end || ')'
                as name,
            case when form in ('IJ', 'SY') then pick(['1', '2', '5', '10', '0.5'], rnd('ps', id))
                else '1' end as pack_size,
            case form when 'CH' then '캡슐' when 'IJ' then 'mL/병' when 'SY' then 'mL'
                when 'CM' then 'g' when 'OS' then 'mL' when 'LQ' then 'mL' else '정' end as unit,
            case when rnd('unpriced', id) < 0.004 then null
                else greatest(1, floor(base_price * pow(0.93, coalesce(price_changes, 0)))::bigint)
                end as price,
            '(주)' || pick(['한빛', '새론', '다온', '청솔', '누리', '예솔'],
                rnd('cw', company_no)) || pick(['제약', '바이오', '팜', '약품'],
                rnd('cx', company_no)) || company_no
                || case when coalesce(sales, 0) > 0 then '홀딩스' else '' end as company,
            lpad((1000 + ingredient_no * 13)::varchar, 4, '0') || lpad(strength::varchar, 2, '0')
                || route || form as ingredient_code,
            ingredient || salt || '   ' || strength * 10 || 'mg' as ingredient_name,
            route, efficacy, ingredient_no, ingredient, strength * 10 as strength_mg,
            -- what acts against bacteria is of two classes, in which other things are as well
            case when efficacy in ('618', '629') and rnd('bac', ingredient_no) < 0.8
                then pick(['J01CA04', 'J01MA12', 'J01FA09', 'J01DD15'], rnd('atc', ingredient_no))
                when efficacy in ('618', '629') then 'J02AC01'
                else pick(['N02BE01', 'C09AA02', 'R05CB01', 'A02BC05', 'C10AA05', 'A10BA02'],
                    rnd('atc', ingredient_no)) end as atc_code
        from coded
        """,
    )
    run(
        con,
        """
        create or replace table drug_version as
        with marked as (
            select *, coalesce(
                lag(m) over product = m - 1
                and lag(price) over product is not distinct from price
                and lag(name) over product = name
                and lag(company) over product = company, false) as goes_on
            from drug_list
            window product as (partition by drug_code order by m)
        ), numbered as (
            select *, sum((not goes_on)::int) over (partition by drug_code order by m) as run_no
            from marked
        ), span as (select max(m) as last_m from drug_list)
        select drug_code, min(price) as price, min(route) as route,
            (min(month) || '-01')::date as valid_from,
            case when max(m) < (select last_m from span)
                then ((max(month) || '-01')::date + interval 1 month)::date end as valid_to
        from numbered group by drug_code, run_no
        order by drug_code, valid_from
        """,
    )
    run(
        con,
        """
        create or replace temp table drug_gone as
        select drug_code, max(valid_to) as gone_on from drug_version
        group by drug_code having count(valid_to) = count(*)
        """,
    )
    run(
        con,
        f"""
        create or replace temp table drug_stable as
        select row_number() over (order by rnd('popular', product_id), product_id) as no,
            drug_code, min(name) as name, min(route) as route
        from drug_list
        where rnd('van', product_id) >= 0.03 and rnd('new', product_id) >= 0.03
            and month = '{names[0]}'
        group by product_id, drug_code
        """,
    )


def write_price_lists(
    con: duckdb.DuckDBPyConnection, world: World, root: Path, tally: Tally
) -> None:
    """Write the lists that aren't on disk yet: UTF-8, CRLF, `산정불가` where there is no price."""
    for month in months(world):
        path = root / f"prices_{month}.csv"
        if path.exists():
            continue
        rows = run(
            con,
            f"""
            select kd_code, drug_code, name, pack_size, unit, coalesce(price::varchar, '산정불가'),
                company, ingredient_code, ingredient_name,
                case route when 'A' then '{_ROUTES["A"]}' when 'B' then '{_ROUTES["B"]}'
                    else '{_ROUTES["C"]}' end, efficacy
            from drug_list where month = '{month}' order by drug_code
            """,
        )
        write_bytes(path, _csv(PRICE_HEADER.split(","), rows).encode())
        tally.add("rows", "hira.drug_prices", len(rows))
        tally.add("dirt", "hira.drug_prices.blank_kd_code", sum(r[0] == "" for r in rows))
        tally.add("dirt", "hira.drug_prices.price_not_set", sum(r[5] == "산정불가" for r in rows))
        tally.add(
            "dirt", "hira.drug_prices.code_leading_zero", sum(r[1].startswith("0") for r in rows)
        )


def write_atc_codes(con: duckdb.DuckDBPyConnection, world: World, root: Path, tally: Tally) -> None:
    """Write the mapping to ATC codes, as of the first list: not of all products, not all tidy."""
    rows = run(
        con,
        f"""
        select ingredient_code, drug_code, name,
            case when rnd('atcd', product_id) < 0.03 then lower(atc_code) || ' ' else atc_code end,
            ingredient
        from drug_list
        where month = '{months(world)[0]}' and rnd('atcm', product_id) >= 0.06 order by drug_code
        """,
    )
    run(
        con,
        f"""
        create table drug_atc as select drug_code, atc_code from drug_list
        where month = '{months(world)[0]}' and rnd('atcm', product_id) >= 0.06
        """,
    )
    header = ["주성분코드", "제품코드", "제품명", "ATC코드", "ATC코드명"]
    write_bytes(root / f"atc_{months(world)[0]}.csv", _csv(header, rows).encode())
    tally.add("rows", "hira.atc_codes", len(rows))
    tally.add("dirt", "hira.atc_codes.lower_case", sum(row[3].islower() for row in rows))


def write_drug_items(
    con: duckdb.DuckDBPyConnection, world: World, root: Path, tally: Tally
) -> None:
    """Write answers of the open API about prices: products whose code changed, some twice.

    A page of several rows, one of one row, which is no array, and two of none. Numbers have lost
    their leading zeros.
    """
    run(
        con,
        """
        create table drug_successor as
        with chosen as (
            select no, drug_code, name from drug_stable where no % 97 = 5
        )
        select drug_code as after, name,
            substr(drug_code, 1, 8) || ((substr(drug_code, 9, 1)::int + 5) % 10) as before
        from chosen
        """,
    )
    items = []
    for after, name, before in run(
        con, "select after, name, before from drug_successor order by 1"
    ):
        items += [
            {"mdsCd": int(before), "itmNm": name, "adtStaDd": "20250101", "chgBfMdsCd": "",
             "chgAfMdsCd": int(after), "mxCprc": 100, "payTpNm": "급여"},
            {"mdsCd": int(after), "itmNm": name, "adtStaDd": "20260101", "chgBfMdsCd": int(before),
             "chgAfMdsCd": "", "mxCprc": 100, "payTpNm": "급여"},
        ]  # fmt: skip
    for page, found in enumerate((items[1:], items[0], None, "")):
        body = {"numOfRows": 1000, "pageNo": page + 1, "totalCount": len(items)}
        body["items"] = found if found in (None, "") else {"item": found}
        answer = {"response": {"header": {"resultCode": "00"}, "body": body}}
        text = json.dumps(answer, ensure_ascii=False)
        write_bytes(root / f"drug_items_{page + 1}.json", text.encode())
    tally.add("rows", "hira.drug_items", len(items))
    lost = sum(len(str(item["mdsCd"])) < 9 for item in items)
    tally.add("dirt", "hira.drug_items.code_lost_zero", lost)


def write_registry(con: duckdb.DuckDBPyConnection, world: World, root: Path, tally: Tally) -> None:
    """Write two quarterly releases: the later one has other headers and another encoding.

    A second file of each tells of a quarter of the clinics when they are open.
    """
    releases = (
        ("2026-03", "utf-8-sig", ("암호화YKIHO코드", "병원URL", "x좌표", "y좌표")),
        ("2026-06", "cp949", ("암호화요양기호", "병원홈페이지", "좌표(X)", "좌표(Y)")),
    )
    others = world.count(500, least=40)
    for number, (month, encoding, (key, url, x, y)) in enumerate(releases):
        header = (
            f"{key},요양기관명,종별코드,종별코드명,시도코드,시도코드명,시군구코드,시군구코드명,"
            f"읍면동,우편번호,주소,전화번호,{url},개설일자,{x},{y},총의사수"
        ).split(",")
        rows = run(
            con,
            f"""
            with institution_row as (
                select id, ykiho, name, cl_cd, sggu_cd, addr, tel, opened_at, x, y, doctors
                from hospital where ykiho is not null and visited
                union all
                select 1000000 + i, to_base64(unhex(code('o1', i) || code('o2', i)
                    || code('o3', i) || substr(code('o4', i), 1, 24))),
                    pick({literal(["누리", "가람", "서원", "한들"])}, rnd('on', i)) || '의원', '31',
                    (select list(sggu_cd order by sggu_cd) from region)[
                        1 + floor(rnd('og', i) * 26)::bigint],
                    '건강로 ' || i, '02-555-' || (1000 + i % 9000),
                    date '1985-01-01' + (rnd('oo', i) * 14000)::int, 127.0 + rnd('ox', i),
                    35.0 + rnd('oy', i), 1 + i % 3
                from range({others}) as r (i)
            )
            select h.ykiho, h.name, case when h.cl_cd = '01' then '1' else h.cl_cd end,
                i.short_name, r.sido_cd, r.sido, r.sggu_cd, r.sggu,
                case when rnd('emd', h.id) < 0.2 then '중앙동' else '' end,
                case when rnd('post', h.id) < 0.15
                    then (3000 + floor(rnd('pn', h.id) * 6000))::int::varchar
                    else '0' || (3000 + floor(rnd('pn', h.id) * 6000))::int end,
                h.addr, h.tel, '',
                strftime(h.opened_at, '%Y%m%d')
                    || case when rnd('od', h.id) < 0.1 then '.0' else '' end,
                printf('%.5f', h.x::double), printf('%.5f', h.y::double), h.doctors::varchar
            from institution_row as h join region as r on h.sggu_cd = r.sggu_cd
            join institution as i on h.cl_cd = i.cl_cd
            where {number} = 1 or rnd('rel', h.id) < 0.97
            order by h.id
            """,
        )
        text = _csv(header, rows)
        if number == 1:
            lines = text.split("\r\n")
            lines.insert(len(lines) // 2, f"{'short' * 16},잘린의원,31")
            text = "\r\n".join(lines)
            tally.add("rows", "hira_registry.hospitals", 1)
            tally.add("quarantine", "hira_registry.hospitals", 1)
            tally.add("dirt", "hira_registry.hospitals.too_few_fields", 1)
        write_bytes(root / f"hospitals_{month}.csv", text.encode(encoding))
        tally.add("rows", "hira_registry.hospitals", len(rows))
        for kind, planted in (
            ("opened_on_as_number", sum(r[13].endswith(".0") for r in rows)),
            ("post_no_lost_zero", sum(len(r[9]) == 4 for r in rows)),
            ("cl_cd_1", sum(r[2] == "1" for r in rows)),
            ("short_type_name", sum(r[3] == "상급종합" for r in rows)),
        ):
            tally.add("dirt", f"hira_registry.hospitals.{kind}", planted)
    _add_clinic_hours(con)
    for number, (month, encoding, (key, *_)) in enumerate(releases):
        rows = _detail_rows(con, number, others)
        short = "요일" if number == 0 else ""
        header = f"{key},요양기관명,휴진안내_일요일,휴진안내_공휴일,점심시간_평일,점심시간_토요일"
        for day in "월화수목금토일":
            header += f",진료시작시간_{day}{short},진료종료시간_{day}{short}"
        text = _csv(header.split(","), rows)
        write_bytes(root / f"details_{month}.csv", text.encode(encoding))
        tally.add("rows", "hira_registry.details", len(rows))
        hours = [pair for row in rows for pair in zip(row[6::2], row[7::2], strict=True)]
        for kind, planted in (
            ("hours_lost_zero", sum(len(start) == 3 for start, _ in hours)),
            ("hours_with_colon", sum(":" in start for start, _ in hours)),
            ("lunch_in_words", sum("시" in row[4] for row in rows)),
            ("end_before_start", sum(_minutes(e) < _minutes(s) for s, e in hours if e)),
            ("end_blank", sum(s != "" and e == "" for s, e in hours)),
        ):
            tally.add("dirt", f"hira_registry.details.{kind}", planted)


def _minutes(text: str) -> int:
    return int(text.replace(":", ""))


def _add_clinic_hours(con: duckdb.DuckDBPyConnection) -> None:
    """When clinics are open, for the quarter of them that the registry's details tell of: a row a
    weekday; `dirt` names what hides its hours. `released` is the newest release with the clinic."""
    run(
        con,
        """
        create table clinic_hours as
        with told as (
            select id as hospital_id, unnest(range(1, 8)) as dow,
                case when rnd('hgone', id) < 0.05 then 0 else 1 end as released,
                pick([540, 540, 540, 510, 570], rnd('hop', id)) as opens,
                pick([1080, 1080, 1110, 1140, 1170], rnd('hcl', id)) as closes,
                case when rnd('hlu', id) < 0.5 then 780 when rnd('hlu', id) < 0.8 then 750 end
                    as lunch_from,
                rnd('hchg', id) < 0.15 as has_changed
            from hospital
            where ykiho is not null and visited and (id <= 3 or rnd('hours', id) < 0.25)
        ), weekly as (
            select * exclude (closes, lunch_from), case
                    when dow = 6 then pick([780, 840, 900], rnd('hsat', hospital_id))
                    when dow = 3 and rnd('hwed', hospital_id) < 0.15 then 780 else closes end
                    as closes,
                case when dow < 6 then lunch_from end as lunch_from
            from told where dow < 6 or dow = 6 and rnd('hopens', hospital_id) < 0.88
        ), lunched as (
            select * replace (case when lunch_from + 60 < closes then lunch_from end as lunch_from),
                hospital_id * 8 + dow as key, count(*) over () as n
            from weekly
        ), ranked as (
            select *, row_number() over (order by rnd('hbs', key), key) as place from lunched
        )
        -- the older release knew some clinics' former hours
        select hospital_id, dow, opens, closes - case when has_changed and released = 0 then 60
                else 0 end as closes, lunch_from, lunch_from + 60 as lunch_to, released,
            has_changed and released = 1 as has_changed,
            case when place <= greatest(1, n // 80) then 'end_before_start'
                when place <= 2 * greatest(1, n // 80) then 'end_blank' end as dirt
        from ranked order by hospital_id, dow
        """,
    )


def _detail_rows(con: duckdb.DuckDBPyConnection, number: int, others: int) -> list[tuple]:
    """The rows of a release's details, with the spellings that clinics use."""
    days = ", ".join(
        f"coalesce(max(case when dow = {dow} then {side} end), '')"
        for dow in range(1, 8)
        for side in ("opens_text", "closes_text")
    )
    clock = "lpad(({0} // 60)::varchar, 2, '0') || '{1}' || lpad(({0} % 60)::varchar, 2, '0')"

    def written(minute: str) -> str:
        return (
            f"case when rnd('hfmt', id) < 0.2 then {clock.format(minute, ':')} "
            f"when rnd('hfmt', id) < 0.4 then ltrim({clock.format(minute, '')}, '0') "
            f"else {clock.format(minute, '')} end"
        )

    return run(
        con,
        f"""
        with of_release as (
            select h.id, h.ykiho, h.name, c.dow, c.dirt, c.opens, c.lunch_from,
                c.closes - case when c.has_changed and {number} = 0 then 60 else 0 end as closes
            from clinic_hours as c join hospital as h on c.hospital_id = h.id
            where c.released >= {number}
            union all
            select 1000000 + i, to_base64(unhex(code('o1', i) || code('o2', i)
                    || code('o3', i) || substr(code('o4', i), 1, 24))), '가람의원', 1, null, 540,
                780, 1080
            from range({others}) as r (i) where rnd('dto', i) < 0.25
        ), spelled as (
            select id, ykiho, name, dow, {written("opens")} as opens_text,
                case dirt when 'end_before_start' then {written("(closes - 720)")}
                    when 'end_blank' then '' else {written("closes")} end as closes_text, lunch_from
            from of_release
        )
        select any_value(ykiho), any_value(name),
            pick(['휴진', '전부휴진', ''], rnd('hsun', id)),
            pick(['휴진', '전부휴진', '', '휴진', '정상진료'], rnd('hhol', id)),
            case max(lunch_from) when 780 then pick(['13:00~14:00', '1시~2시', '13:00-14:00',
                    '오후 1시 ~ 2시', '1300~1400'], rnd('hlt', id))
                when 750 then pick(['12:30~13:30', '12시30분~1시30분', '12:30 ~ 13:30'],
                    rnd('hlt', id))
                else pick(['없음', '', '점심시간 없음'], rnd('hlt', id)) end,
            pick(['없음', '', '휴게시간 없음'], rnd('hls', id)), {days}
        from spelled group by id order by id
        """,
    )


def _csv(header: list[str], rows: list[tuple]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()

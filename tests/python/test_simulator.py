"""The simulated company: same bytes for the same seed, and a truth that its files bear out."""

import csv
import gzip
import hashlib
import io
import json
import re
import sqlite3
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from simulator import append_day, simulate
from simulator.media.catalogue import MEDIA
from simulator.media.figures import Books, Figures
from simulator.media.server import serving
from simulator.media.web import Asked

DAYS, SCALE, SEED = 21, 0.02, 1
START = date(2026, 6, 1)

SPELLINGS = {
    "예약신청": "requested", "예약완료": "confirmed", "완료": "completed", "노쇼": "no_show",
    "취소": "cancelled_patient", "병원취소": "cancelled_hospital", "접수": "accepted",
    "대기": "waiting",
}  # fmt: skip


def _digests(out: Path) -> dict[str, str]:
    """Content hash of every output file but the state, and the paths in sources.env."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("company.duckdb", "sources.env")
    }


def _text(path: Path, encoding: str = "utf-8") -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    return data.decode(encoding, errors="replace")


def _lines(folder: Path, pattern: str, encoding: str = "utf-8", header: bool = False) -> list[str]:
    skip = 1 if header else 0
    found: list[str] = []
    for path in sorted(folder.glob(pattern)):
        found += [line for line in _text(path, encoding).splitlines()[skip:] if line]
    return found


def _records(folder: Path, pattern: str) -> list[dict]:
    """The JSON lines of a folder that can be read and aren't from the future or mistyped."""
    records = []
    for line in _lines(folder, pattern):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if not record["received_at"].startswith("2099"):
            records.append(record)
    return records


def _query(out: Path, sql: str) -> list[tuple]:
    database = sqlite3.connect(out / "app_db" / "app.sqlite")
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def _normalised(status: str) -> str:
    status = status.strip()
    return SPELLINGS.get(status, status.lower())


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("company") / "out"
    return out, simulate(out, days=DAYS, scale=SCALE, seed=SEED)


@pytest.fixture(scope="module")
def busy(tmp_path_factory) -> Path:
    """A company with enough visitors to count shares of them."""
    out = tmp_path_factory.mktemp("busy") / "out"
    simulate(out, days=15, scale=0.2)
    return out


@pytest.fixture(scope="module")
def grown(tmp_path_factory, company) -> tuple[Path, dict, dict[str, str], Path]:
    """A second company of the same arguments, its bytes, and its database after one more day."""
    out = tmp_path_factory.mktemp("grown") / "out"
    simulate(out, days=DAYS, scale=SCALE, seed=SEED)
    before = _digests(out)
    old_database = out.parent / "before.sqlite"
    old_database.write_bytes((out / "app_db" / "app.sqlite").read_bytes())
    return out, append_day(out), before, old_database


def test_same_seed_same_bytes(company, grown):
    out, _ = company
    assert _digests(out) == grown[2]


def test_truth_file_says_what_is_returned(company):
    out, truth = company
    assert json.loads((out / "truth.json").read_text(encoding="utf-8")) == truth
    assert truth["days"] == DAYS and truth["last_day"] == "2026-06-21"
    assert len(truth["figures"]) >= 60


def test_environment_names_every_source(company):
    out, _ = company
    lines = (out / "sources.env").read_text(encoding="utf-8").splitlines()
    names = {line.split("=", 1)[0] for line in lines}
    sources = Path(__file__).parents[2] / "extract_load" / "sources"
    wanted = re.findall(r"\$\{(\w+)\}", "".join(p.read_text() for p in sources.glob("*.yml")))
    # logs of processes that aren't the company's own
    assert set(wanted) - names == {"EVENT_LOGS_DIR"}
    assert f"APP_DB_URL=sqlite:///{out}/app_db/app.sqlite" in lines


def test_rows_are_those_delivered(company):
    out, truth = company
    counted = {
        f"app_db.{name}": _query(out, f"select count(*) from {name}")[0][0]
        for (name,) in _query(out, "select name from sqlite_master where type = 'table'")
    }
    parquet = duckdb.sql(
        f"select count(*) from read_parquet('{out}/app_events/app/*/*.parquet')"
    ).fetchall()[0][0]
    counted["app_events.events"] = parquet + len(_lines(out / "app_events/web", "*.gz"))
    counted["flow_events.events"] = len(_lines(out / "flow_events", "*.gz"))
    for table in ("heartbeats", "crashes", "screens"):
        lines = _lines(out / "clinic_devices" / table, "*.gz")
        counted[f"clinic_devices.{table}"] = len(lines)
    for vendor, encoding in (("ubcare", "utf-8"), ("bit", "cp949"), ("eghis", "utf-8")):
        lines = _lines(out / "emr_links" / vendor, "*", encoding, header=True)
        counted[f"emr_links.{vendor}_logs"] = len(lines)
    counted["payments_pg.settlements"] = len(
        _lines(out / "payments_pg", "*.csv", "cp949", header=True)
    )
    counted["ads_drops.ads"] = len(_lines(out / "ads_drops", "*/*.csv", header=True))
    for table in ("accounts", "budgets"):
        counted[f"marketing_plan.{table}"] = len(
            _lines(out / "marketing_plan", f"{table}*.csv", header=True)
        )
    counted["hira.drug_prices"] = len(_lines(out / "hira", "prices_*.csv", header=True))
    counted["hira.atc_codes"] = len(_lines(out / "hira", "atc_*.csv", header=True))
    pages = [json.loads(file.read_text()) for file in (out / "hira").glob("drug_items_*.json")]
    items = [(page["response"]["body"]["items"] or {}).get("item", []) for page in pages]
    counted["hira.drug_items"] = sum(1 if isinstance(page, dict) else len(page) for page in items)
    counted["mfds_dur.rules"] = len(_lines(out / "mfds_dur", "*.csv", "cp949", header=True))
    for table in ("hospitals", "details"):
        counted[f"hira_registry.{table}"] = sum(
            len(_lines(out / "hira_registry", f"{table}_{release}.csv", encoding, header=True))
            for release, encoding in (("2026-03", "utf-8-sig"), ("2026-06", "cp949"))
        )
    assert counted == truth["rows"]
    assert all(counted.values())


def test_hira_lists_have_the_published_layout(company):
    out, _ = company
    data = (out / "hira" / "prices_2026-06.csv").read_bytes()
    assert data.startswith("표준코드,제품코드,제품명,규격,단위,상한금액,업체명".encode())
    assert data.count(b"\r\n") == data.count(b"\n")
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    routes = {"내복": "A", "주사": "B", "외용": "C"}
    for row in rows:
        assert re.fullmatch(r"\d{9}", row["제품코드"])
        assert re.fullmatch(r"\d{4}\d{2}[ABC][A-Z]{2}", row["주성분코드"])
        assert row["주성분코드"][6] == routes[row["투여"]]
        assert row["상한금액"] == "산정불가" or int(row["상한금액"]) > 0
        assert row["표준코드"] == "" or row["표준코드"][:11] == "880" + row["제품코드"][:8]
    assert len({row["제품코드"] for row in rows}) == len(rows)
    assert any(row["제품코드"].startswith("0") for row in rows)
    assert any(row["상한금액"] == "산정불가" for row in rows)


def test_planted_dirt_is_there(company):
    out, truth = company
    dirt = truth["dirt"]
    for kind, sql in {
        "members.phone_shape": "select count(*) from members where phone not glob '010????????'",
        "members.birth_1900": "select count(*) from members where birth_date = '1900-01-01'",
        "member_merges.chain": "select count(*) from member_merges a join member_merges b "
        "on a.from_member_id = b.to_member_id",
        "hospitals.cl_cd_one": "select count(*) from hospitals where cl_cd = '1'",
        "hospitals.x_y_swapped": "select count(*) from hospitals where x < y",
        "hospitals.moved_two_rows": "select count(*) from hospitals where addr like '%(구)'",
        "hospital_departments.code_of_other_api": "select count(*) from hospital_departments "
        "where dgsbjt_cd like 'D0%'",
        "doctors.licence_in_two_clinics": "select count(*) - count(distinct licence_no) "
        "from doctors",
        "devices.serial_in_mixed_case": "select count(*) from devices "
        "where serial_no <> upper(serial_no)",
        "tablet_sessions.never_ended": "select count(*) from tablet_sessions "
        "where ended_at is null",
        "tablet_sessions.negative_length": "select count(*) from tablet_sessions "
        "where ended_at < started_at",
        "tablet_sessions.test_session": "select count(*) from tablet_sessions where is_test",
        "bookings.slot_in_past": "select count(*) from bookings where slot_start < created_at",
        "receptions.nine_hours_off": "select count(*) from receptions "
        "where requested_at > created_at",
        "receptions.times_out_of_order": "select count(*) from receptions "
        "where started_at < called_at",
        "prescriptions.rrn_in_memo": "select count(*) from prescriptions "
        "where memo glob '*[0-9][0-9][0-9][0-9][0-9][0-9]-[1-8][0-9]*'",
        "prescription_items.days_999": "select count(*) from prescription_items "
        "where total_days = 999",
        "prescription_items.days_zero": "select count(*) from prescription_items "
        "where total_days = 0",
        "prescription_items.dose_third": "select count(*) from prescription_items "
        "where dose_per_time = 0.33333",
        "prescription_items.code_lost_zero": "select count(*) from prescription_items "
        "where length(drug_code) = 8",
        "prescription_diagnoses.kcd_with_dot": "select count(*) from prescription_diagnoses "
        "where kcd_code like '%.%'",
        "payments.won_with_decimals": "select count(*) from payments "
        "where amount <> cast(amount as integer)",
        "payments.partial_refund": "select count(*) from payments where amount < 0",
        "payments.amount_mismatch": "select count(*) from payments "
        "where abs(amount - covered_amount - uncovered_amount) > 1",
        "payments.updated_in_2099": "select count(*) from payments where updated_at like '2099%'",
        "reviews.rating_zero": "select count(*) from reviews where rating = 0",
    }.items():
        assert (kind, _query(out, sql)[0][0]) == (kind, dirt[f"app_db.{kind}"])
        assert dirt[f"app_db.{kind}"] > 0, kind


def test_planted_dirt_is_in_the_files(company):
    out, truth = company
    dirt = truth["dirt"]
    heartbeats = _records(out / "clinic_devices/heartbeats", "*.gz")
    out_of_range = {
        (r["device_id"], r["sent_at"]) for r in heartbeats if not 0 <= r["battery_pct"] <= 100
    }
    ahead = sum(r["sent_at"] > r["received_at"] for r in heartbeats)
    assert len(out_of_range) == dirt["clinic_devices.heartbeats.battery_out_of_range"] > 0
    assert ahead == dirt["clinic_devices.heartbeats.clock_ahead"] > 0
    flow = _records(out / "flow_events", "*.gz")
    unknown = {r["event_id"] for r in flow if r["event_type"] == "hold_started"}
    repeats = len(flow) - len({r["event_id"] for r in flow})
    assert len(unknown) == dirt["flow_events.events.unknown_event_type"] > 0
    assert repeats == dirt["flow_events.events.delivered_twice"] > 0
    late = {r["event_id"] for r in flow if r["received_at"][:10] > r["occurred_at"][:10]}
    assert len(late) >= dirt["flow_events.events.late_by_days"] > 0


def test_lines_to_reject_are_there(company):
    out, truth = company
    quarantine = truth["quarantine"]
    for folder, table in (
        ("flow_events", "flow_events.events"),
        ("clinic_devices/heartbeats", "clinic_devices.heartbeats"),
    ):
        bad = 0
        for line in _lines(out / folder, "*.gz"):
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                bad += 1
                continue
            key = record.get("entity_id", record.get("device_id"))
            bad += not isinstance(key, int) or record["received_at"].startswith("2099")
        assert bad == quarantine[table] == 3
    fields = [line.split(",") for line in _lines(out / "ads_drops", "*/*.csv", header=True)]
    assert sum("-" in row for row in fields) == quarantine["ads_drops.ads"] == 1
    raw = b"".join(p.read_bytes() for p in (out / "payments_pg").glob("*.csv"))
    assert raw.count(b"\xff\xff") == 1


def test_only_planted_values_look_like_resident_numbers(company):
    """Outside HIRA's standard codes nothing has the shape of a resident registration number."""
    out, truth = company
    shape = re.compile(r"(?<!\d)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])[-\s]?[1-8]\d{6}(?!\d)")
    found: Counter[str] = Counter()
    for path in sorted(out.rglob("*")):
        if path.suffix in (".csv", ".tsv", ".gz") and path.parent.name != "hira":
            encoding = "cp949" if path.suffix == ".tsv" else "utf-8"
            found[path.relative_to(out).parts[0]] += len(shape.findall(_text(path, encoding)))
    events = duckdb.sql(
        f"select * from read_parquet('{out}/app_events/app/*/*.parquet')"
    ).fetchall()
    found["app_events"] += len(shape.findall("\n".join(map(str, events))))
    for (name,) in _query(out, "select name from sqlite_master where type = 'table'"):
        rows = _query(out, f"select * from {name}")
        found[f"app_db.{name}"] += len(shape.findall("\n".join(map(str, rows))))
    assert {name: n for name, n in found.items() if n} == {
        "app_db.prescriptions": truth["dirt"]["app_db.prescriptions.rrn_in_memo"],
        "app_events": truth["dirt"]["app_events.events.rrn_in_payload"],
    }


def test_bookings_and_receptions_by_status(company):
    out, truth = company
    figures = truth["figures"]
    bookings = Counter(_normalised(s) for (s,) in _query(out, "select status from bookings"))
    for status in ("completed", "no_show", "cancelled_patient", "cancelled_hospital"):
        assert bookings[status] == figures[f"bookings_{status}_count"]
    assert sum(bookings.values()) == figures["bookings_count"]
    receptions = Counter(_normalised(s) for (s,) in _query(out, "select status from receptions"))
    assert receptions["completed"] == figures["receptions_completed_count"]
    assert receptions["auto_cancelled_absent"] == figures["receptions_auto_cancelled_count"]


def test_flow_events_give_the_waits_and_late_cancellations(company):
    out, truth = company
    figures = truth["figures"]
    first: dict[tuple[str, int, str], str] = {}
    seen = set()
    for event in _records(out / "flow_events", "*.gz"):
        if event["event_type"] == "hold_started" or not isinstance(event["entity_id"], int):
            continue
        seen.add(event["event_id"])
        key = (event["entity"], event["entity_id"], event["event_type"])
        first[key] = min(event["occurred_at"], first.get(key, "9999"))
    assert len(seen) == figures["flow_events_count"]

    def seconds(text: str) -> float:
        return datetime.fromisoformat(text.rstrip("Z")).timestamp()

    total = 0
    for key, status, accepted, started in _query(
        out, "select id, status, accepted_at, started_at from receptions"
    ):
        if _normalised(status) not in ("completed", "in_treatment"):
            continue
        accepted = first.get(("reception", key, "accepted"), accepted)
        started = first.get(("reception", key, "in_treatment"), started)
        total += seconds(started) - seconds(accepted)
    assert round(total) == figures["reception_wait_seconds_total"]
    late = 0
    for key, status, slot in _query(out, "select id, status, slot_start from bookings"):
        if _normalised(status) in ("cancelled_patient", "cancelled_hospital"):
            cancelled = first["booking", key, _normalised(status)]
            late += seconds(cancelled) > seconds(slot) - 86400
    assert late == figures["bookings_late_cancel_count"]


def test_newest_ad_file_wins(company):
    """Of the files of a medium without an API, the newest that holds a day is right about it."""
    out, truth = company
    for medium, supply_of in (("dable", 1), ("toss", Decimal("1.1"))):
        newest: dict[str, tuple[str, Decimal]] = {}
        for path in sorted((out / "ads_drops" / medium).glob("*.csv")):
            by_date: Counter[str] = Counter()
            rows = csv.DictReader(io.StringIO(_text(path)))
            for row in rows:
                if "-" not in row.values():
                    by_date[row["날짜"]] += Decimal(row["광고비"])
            newest |= {stat: (path.name, spend) for stat, spend in by_date.items()}
        assert len(newest) == DAYS - 1  # one day without any delivery
        total = sum(spend for _, spend in newest.values()) / supply_of
        assert round(total, 2) == truth["figures"][f"spend_supply_krw_{medium}"]


def _books(known: date, **options) -> Books:
    return Books(Figures(SEED, SCALE, START, [known], **options), known)


def test_media_levels_add_up_and_only_totals_know_more():
    known = START + timedelta(days=DAYS)
    books = _books(known)
    for medium in MEDIA.values():
        if medium.primary == "installs":
            continue
        sums = {
            level: sum(
                (row["spend"] for row in books.figures(medium.key, level, START, known)), Decimal(0)
            )
            for level in ("account", "campaign", "ad_group", "ad")
        }
        assert sums["ad"] == sums["ad_group"] > 0
        assert (sums["campaign"] > sums["ad"]) == medium.has_totals
        assert (sums["account"] > sums["campaign"]) == ("account_totals" in medium.parts)


def test_media_figures_are_exact_and_settle():
    """Sums that VAT leaves whole, windows that hold each other, days that end up the same."""
    final, last = START + timedelta(days=40), START + timedelta(days=5)
    early, late = _books(START + timedelta(days=6)), _books(final)
    later = _books(final + timedelta(days=9))
    for medium in MEDIA.values():
        if medium.primary == "installs":
            continue
        step = {"KRW": 11 if medium.vat == "incl" else 10, "USD": Decimal("0.01"), "JPY": 1}
        asked = (medium.key, medium.finest, START, last)
        rows = late.figures(*asked)
        for row in rows:
            assert row["spend"] % step[row["currency"]] == 0
            for kind in ("lead", "signup", "purchase"):
                for way in ("click", "view"):
                    windows = [row[f"{kind}_{way}_{window}"] for window in ("1d", "7d", "28d")]
                    assert windows == sorted(windows)
        assert rows != early.figures(*asked)
        assert [r["spend"] for r in rows] == [r["spend"] for r in later.figures(*asked)]
        vanished = len(early.figures(*asked)) - len(rows)
        assert vanished >= 0 and (medium.has_totals or not vanished)


def test_media_without_an_api_are_known_by_window_as_by_history():
    """What a file says of a day is what the whole history says on that morning."""
    known = START + timedelta(days=12)
    window, whole = _books(known, window=True), _books(known)
    first = known - timedelta(days=7)
    asked = ("toss", "ad", START, known)
    assert window.figures(*asked) == whole.figures("toss", "ad", first, known)
    assert len(whole.figures(*asked)) > len(window.figures(*asked))


def test_hours_are_those_of_the_korean_days():
    known = START + timedelta(days=DAYS)
    books = _books(known)
    for medium in ("unity", "applovin"):
        by_day: Counter[date] = Counter()
        for row in books.hours(medium, "campaign", START, known):
            by_day[(row["utc_hour"] + timedelta(hours=9)).date()] += row["spend"]
        days: Counter[date] = Counter()
        for row in books.figures(medium, "campaign", START, known):
            days[row["stat_date"]] += row["spend"]
        assert by_day == days and max(days) == known - timedelta(days=1)


def test_every_campaign_of_ours_is_one_of_the_media(company):
    out, truth = company
    books = _books(START + timedelta(days=DAYS))
    theirs = {
        (medium, row["campaign_id"]): row["campaign_name"]
        for medium in MEDIA
        for row in books.entities(medium, "campaign")
    }
    ours = {
        (medium, key): name
        for medium, key, name in _query(
            out, "select medium, media_campaign_id, campaign from campaigns_internal"
        )
        if medium != "organic"
    }
    assert set(ours) == {key for key in theirs if key[0] != "cm360"}
    renamed = {key for key, name in ours.items() if theirs[key] != name}
    assert 0 < len(renamed) < len(ours) / 2
    planted = sum(n for name, n in truth["dirt"].items() if ".utm_" in name)
    ads = [
        row for medium in MEDIA.values() if medium.role == "ad"
        for row in books.entities(medium.key, "ad")
    ]  # fmt: skip
    names = set(ours.values())
    bad = sum(ad["landing_url"].rpartition("utm_campaign=")[2] not in names for ad in ads)
    assert bad == planted > 0


def test_stand_in_sees_the_next_day(tmp_path):
    """A company of the server's is read anew once a day was appended, without its state's lock."""
    out = tmp_path / "company"
    simulate(out, days=2, scale=0.01)
    with duckdb.connect(str(out / "company.duckdb")), serving(out) as stand_in:
        assert stand_in.books.today == date(2026, 6, 3)
    with serving(out) as stand_in:
        asked = ("meta", "ad", START, START)
        before = stand_in.books.figures(*asked)
        append_day(out)
        assert stand_in.books.today == date(2026, 6, 4)
        assert stand_in.books.figures(*asked) != before
        answer = stand_in.answer(Asked("GET", "nowhere.example", "/", {}, {}))
    assert answer.status == 404


def test_prescription_amount_by_the_lists(company):
    out, truth = company
    lists = {}
    for path in sorted((out / "hira").glob("prices_*.csv")):
        rows = csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))
        lists[path.stem[-7:]] = {row["제품코드"]: row["상한금액"] for row in rows}
    total, unknown = Decimal(0), 0
    for code, dose, times, days, issued in _query(
        out,
        "select drug_code, cast(dose_per_time as text), times_per_day, total_days, issued_date "
        "from prescription_items i join prescriptions p on p.id = i.prescription_id",
    ):
        price = lists[issued[:7]].get(code.zfill(9))
        unknown += price is None
        if price not in (None, "산정불가") and 1 <= days <= 365:
            amount = Decimal(price) * Decimal(dose) * times * days
            total += amount.quantize(Decimal(1), ROUND_HALF_UP)
    assert total == truth["figures"]["prescription_amount_krw_total"]
    assert unknown == truth["figures"]["prescription_items_unknown_drug_count"] > 0


def test_heartbeats_and_device_days(company):
    out, truth = company
    beats = {
        (r["device_id"], r["sent_at"])
        for r in _records(out / "clinic_devices/heartbeats", "*.gz")
        if isinstance(r["device_id"], int)
    }
    assert len(beats) == truth["figures"]["heartbeats_count"]
    # Opening hours in Seoul lie within one UTC day.
    days = {(device, sent[:10]) for device, sent in beats}
    assert len(days) == truth["figures"]["device_days_count"]


def _events(out: Path) -> list[dict]:
    """The behaviour events that can be read, each once, by device and time."""
    columns = "event_id, user_pseudo_id, member_id, event_name, event_product_id, platform, " + (
        "occurred_at, received_at, utm_source, utm_campaign, click_id, click_id_name, referrer"
    )
    app = duckdb.sql(
        f"select {columns} from (select * replace (timezone('UTC', occurred_at) as occurred_at, "
        f"timezone('UTC', received_at) as received_at) "
        f"from read_parquet('{out}/app_events/app/*/*.parquet')) where year(received_at) < 2099"
    )
    events = [dict(zip(app.columns, row, strict=True)) for row in app.fetchall()]
    for record in _records(out / "app_events/web", "*.gz"):
        times = {
            name: datetime.fromisoformat(record[name].rstrip("Z"))
            for name in ("occurred_at", "received_at")
        }
        events.append(record | times)
    once = {e["event_id"]: e for e in events if not e["event_id"].startswith("bad00000-")}
    return sorted(
        once.values(), key=lambda e: (e["user_pseudo_id"], e["occurred_at"], e["event_id"])
    )


def _visits(events: list[dict]) -> list[list[dict]]:
    """The events of each visit: no pause of more than half an hour."""
    visits: list[list[dict]] = []
    for event in events:
        before = visits[-1][-1] if visits else None
        if (
            before
            and before["user_pseudo_id"] == event["user_pseudo_id"]
            and event["occurred_at"] - before["occurred_at"] <= timedelta(minutes=30)
        ):
            visits[-1].append(event)
        else:
            visits.append([event])
    return visits


def _mark(event: dict) -> tuple | None:
    """What an event tells of where its visitor came from."""
    if event["click_id"]:
        return "click_id", event["click_id_name"], event["utm_campaign"]
    if event["utm_campaign"]:
        return "utm", event["utm_source"], event["utm_campaign"]
    return ("referrer", event["referrer"]) if event["referrer"] else None


def _is_robot(visit: list[dict]) -> bool:
    seconds = (visit[-1]["occurred_at"] - visit[0]["occurred_at"]).total_seconds()
    return seconds > 60 and len(visit) > 10 * seconds


def _visit_figures(events: list[dict]) -> Counter[str]:
    first_named: dict[str, datetime] = {}
    for event in events:
        if event["member_id"] is not None:
            first_named.setdefault(event["user_pseudo_id"], event["occurred_at"])
    found: Counter[str] = Counter()
    visitors = set()
    for visit in _visits(events):
        if _is_robot(visit):
            found["web_sessions_quarantined_count"] += 1
            continue
        visitor = visit[0]["user_pseudo_id"]
        visitors.add(visitor)
        named = first_named.get(visitor)
        found["web_sessions_count"] += 1
        found["web_sessions_identified_count"] += bool(
            named and visit[-1]["occurred_at"] >= named - timedelta(days=30)
        )
        marks = {_mark(event) for event in visit} - {None}
        for match in [mark[0] for mark in marks] or ["none"]:
            found[f"touchpoints_{match}_count"] += 1
        names = Counter(event["event_name"] for event in visit)
        found["event_product_views_count"] += names["view_event_product"]
        found["event_product_applications_count"] += names["apply_complete"]
    found["web_visitors_count"] = len(visitors)
    return found


def test_visits_are_as_the_truth_says(company, grown):
    for out, truth in (company, grown[:2]):
        found = _visit_figures(_events(out))
        assert found == {name: truth["figures"][name] for name in found}
        assert len(found) == 10 and all(found.values())


def test_late_events_count_once_they_are_there(company, grown):
    """The next day brings events of the days before; they make visits that weren't known."""
    known = {event["event_id"] for event in _events(company[0])}
    late = [
        event
        for event in _events(grown[0])
        if event["event_id"] not in known
        and event["occurred_at"] < datetime(2026, 6, 21, 15) - timedelta(minutes=1)
    ]
    assert late


def test_visitors_are_devices(company):
    events = [e for e in _events(company[0]) if e["event_name"] != "view_hospital"]
    members: dict[str, set[int]] = {}
    platforms: dict[str, set[str]] = {}
    days: dict[str, set[date]] = {}
    for event in events:
        device = event["user_pseudo_id"]
        members.setdefault(device, set())
        if event["member_id"] is not None:
            members[device].add(event["member_id"])
        platforms.setdefault(device, set()).add(event["platform"])
        days.setdefault(device, set()).add(event["occurred_at"].date())
    assert all(len(found) == 1 for found in platforms.values())
    nobody = [device for device, found in members.items() if not found]
    assert any(len(days[device]) > 2 for device in nobody)
    named = [device for device, found in members.items() if found]
    shared = [device for device in named if len(members[device]) == 2]
    assert 0 < len(shared) < len(named) / 20
    assert all(len(found) < 4 for found in members.values())
    # what a member did before the login, or without one, bears no name
    anonymous = sum(e["member_id"] is None for e in events if members[e["user_pseudo_id"]])
    assert anonymous > len(events) / 8
    assert sum(e["event_name"] == "login" for e in events) > 20


def test_landings_stand_on_first_events_and_some_lie(busy):
    events = _events(busy)
    assert {e["event_name"] for e in events if _mark(e)} == {"app_open"}
    media = {
        campaign: medium
        for medium, campaign in _query(busy, "select medium, campaign from campaigns_internal")
    }
    names = {"naver_sa": "n_ad", "naver_gfa": "n_ad", "kakao_moment": "kclid", "meta": "fbclid",
             "kakao_keyword": "kclid", "tiktok": "ttclid"}  # fmt: skip
    clicks = [e for e in events if e["click_id_name"] in names.values()]
    lacking = sum(e["utm_campaign"] is None for e in clicks)
    lying = sum(
        names.get(media[e["utm_campaign"]]) != e["click_id_name"]
        for e in clicks
        if e["utm_campaign"]
    )
    for share in (lacking / len(clicks), lying / len(clicks)):
        assert 0.005 < share < 0.04
    assert len({e["click_id"] for e in clicks}) == len(clicks)
    assert all(e["click_id"] or not e["click_id_name"] for e in events)
    assert all("/" not in e["referrer"] for e in events if e["referrer"])


def test_robots_are_there_at_any_scale(tmp_path):
    out = tmp_path / "company"
    truth = simulate(out, days=1, scale=0.01)
    robots = [visit for visit in _visits(_events(out)) if _is_robot(visit)]
    assert len(robots) == truth["figures"]["web_sessions_quarantined_count"] == 2
    assert sum(map(len, robots)) == truth["dirt"]["app_events.events.robot"]
    assert not any(event["member_id"] for visit in robots for event in visit)


def test_members_have_tastes(busy):
    """Who looked at a product looks at others of the same taste far more than chance has it."""
    with duckdb.connect(str(busy / "company.duckdb"), read_only=True) as state:
        groups = state.execute("select products from taste").fetchone()[0]
        sensitive = {
            product
            for (product,) in state.execute(
                "select id from event_product where category in "
                "('탈모', '비만', '비뇨기과', '정신건강', '여성의원')"
            ).fetchall()
        }
    taste = {product: n for n, products in enumerate(groups) for product in products}
    assert len(groups) == 6 and sensitive and not sensitive & set(taste)
    seen: dict[int, list[int]] = {}
    for event in _events(busy):
        if event["event_product_id"] in taste and event["member_id"] is not None:
            seen.setdefault(event["member_id"], []).append(taste[event["event_product_id"]])
    pairs = [(a, b) for tastes in seen.values() for a, b in pairwise(tastes)]
    assert len(pairs) > 300
    assert sum(a == b for a, b in pairs) > len(pairs) / 2


def test_reviews_get_votes_with_age(company, grown):
    out, truth = company
    rows = "select helpful_count, unhelpful_count, photo_count, written_at, updated_at, " + (
        "event_product_id from reviews"
    )
    reviews = _query(out, rows)
    assert sum(row[0] for row in reviews) == truth["figures"]["reviews_helpful_votes"] > 0
    assert any(row[1] for row in reviews) and any(row[2] for row in reviews)
    assert any(row[5] for row in reviews) and any(row[5] is None for row in reviews)
    young = [row for row in reviews if row[3] > "2026-06-20 15:00:00"]
    assert not any(row[0] or row[1] for row in young)
    database = sqlite3.connect(grown[0] / "app_db" / "app.sqlite")
    database.execute("attach ? as old", (str(grown[3]),))
    (grew,) = database.execute(
        "select count(*) from reviews n join old.reviews o using (id) "
        "where n.helpful_count > o.helpful_count and n.updated_at > o.updated_at"
    ).fetchone()
    (silent,) = database.execute(
        "select count(*) from reviews n join old.reviews o using (id) "
        "where n.helpful_count <> o.helpful_count and n.updated_at <= o.updated_at"
    ).fetchone()
    database.close()
    assert grew > 0 and silent == 0


def test_week_has_a_rhythm(company):
    out, _ = company
    per_day = Counter(
        day for (day,) in _query(out, "select date(created_at, '+9 hours') from receptions")
    )
    sundays = [per_day[str(START + timedelta(days=d))] for d in range(6, DAYS, 7)]
    mondays = [per_day[str(START + timedelta(days=d))] for d in range(0, DAYS, 7)]
    assert sum(sundays) * 3 < sum(mondays)
    assert per_day["2026-06-03"] * 3 < per_day["2026-06-04"]


def test_next_day_adds_and_never_rewrites(grown):
    out, truth, before, _ = grown
    after = _digests(out)
    changed = {name for name, digest in before.items() if after.get(name) != digest}
    assert changed == {"app_db/app.sqlite", "truth.json"}
    assert truth["days"] == DAYS + 1 and truth["last_day"] == "2026-06-22"
    added = set(after) - set(before)
    assert "flow_events/2026-06-22.jsonl.gz" in added
    assert "clinic_devices/heartbeats/2026-06-22.jsonl.gz" in added
    assert any(name.startswith("ads_drops/toss/") for name in added)


def test_next_day_changes_the_database(grown):
    out, truth, _, old_path = grown
    database = sqlite3.connect(out / "app_db" / "app.sqlite")
    database.execute("attach ? as old", (str(old_path),))

    def count(sql: str) -> int:
        return database.execute(sql).fetchone()[0]

    by_id = "select count(*) from {0} n join old.{0} o using (id) where "
    new = "select count(*) from {0} where id not in (select id from old.{0})"
    gone = "select count(*) from old.{0} where id not in (select id from {0})"
    for table in ("bookings", "receptions", "prescriptions", "payments", "member_merges"):
        assert count(new.format(table)) > 0, table
    assert count(by_id.format("bookings") + "n.status <> o.status") > 0
    assert (
        count(
            by_id.format("bookings") + "n.status <> o.status and n.updated_at < "
            "'2026-06-21 15:00:00'"
        )
        == 0
    )
    assert (
        count(by_id.format("devices") + "n.hospital_id <> o.hospital_id and n.returned_at is null")
        == 1
    )
    assert count(by_id.format("hospitals") + "n.updated_at > o.updated_at") == 1
    assert count(by_id.format("hospitals") + "n.addr <> o.addr and n.updated_at = o.updated_at")
    for table in ("members", "reviews", "event_leads"):
        assert count(gone.format(table)) > 0, table
    erased = "select member_id from erasure_requests"
    assert count(gone.format("members") + f" and id in ({erased})") == count(gone.format("members"))
    assert count(f"select count(*) from reviews where member_id in ({erased})") == 0
    assert count("select count(*) from members") == truth["figures"]["members_count"]
    database.close()


def test_next_day_is_repeatable_and_brings_the_month(tmp_path):
    outs = [tmp_path / "a", tmp_path / "b"]
    for out in outs:
        simulate(out, days=1, scale=0.01, seed=3, start=date(2026, 6, 30))
        append_day(out)
    assert _digests(outs[0]) == _digests(outs[1])
    assert (outs[0] / "hira" / "prices_2026-07.csv").is_file()


def test_company_is_replaced_and_other_folders_refused(tmp_path):
    out = tmp_path / "company"
    told: list[tuple[str, float]] = []
    simulate(out, days=2, scale=0.01, progress=lambda *args: told.append(args))
    shares = [done for _, done in told]
    assert shares == sorted(shares) and shares[-1] == 1.0
    simulate(out, days=1, scale=0.01)
    assert not list(out.glob("flow_events/2026-06-02*"))
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="not a simulated company"):
        simulate(out, days=1, scale=0.01)
    assert (out / "thesis.txt").exists()
    with pytest.raises(ValueError, match="no simulated company"):
        append_day(tmp_path)

"""The product database as its users left it: the state as of now with its dirt, in SQLite."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_manager
import adbc_driver_sqlite
import duckdb
import pyarrow as pa

from simulator.world import World, literal, run

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Table:
    """A table: its declared columns, its primary key, and the query of its rows as of now.

    The query's last column, `touched`, says when the row last changed.
    """

    columns: str
    query: str
    key: str = "id"


_SPELLED_BOOKING = "coalesce(case when b.dirt = 'status_spelling' then pick(s.words, " + (
    "rnd('sp', b.id)) end, b.status)"
)
_SPELLED_RECEPTION = _SPELLED_BOOKING.replace("b.", "r.")


def _shifted(column: str) -> str:
    """A reception's time as the row shows it: nine hours off in some old rows."""
    return (
        f"db_time(case when r.dirt = 'nine_hours_off' then r.{column} + interval 9 hour "
        f"else r.{column} end)"
    )


_BOOKING_QUERY = f"""
    select b.id, member_id, hospital_id, doctor_id, department_cd,
        db_time(case when b.dirt = 'slot_in_past' then created_at - interval 1 day
            else slot_start end) as slot_start,
        db_time(case when b.dirt = 'slot_in_past' then created_at - interval 1410 minute
            else slot_start + interval 30 minute end) as slot_end,
        channel, {_SPELLED_BOOKING} as status,
        case when b.dirt = 'phone_in_memo' then memo || ' 연락처 010-2' ||
            (100 + b.id % 900) || '-' || (1000 + b.id * 7 % 9000) else memo end as memo,
        case when b.dirt = 'campaign_spelling' then case when b.id % 2 = 0
            then upper(campaign) else campaign || ' ' end else campaign end as source_campaign,
        db_time(created_at) as created_at, db_time(touched) as updated_at, touched
    from booking_now as b
    left join spelling as s on s.kind = 'booking' and s.status = b.status
"""

_RECEPTION_QUERY = f"""
    select r.id, booking_id, member_id, hospital_id, department_cd, channel, device_id,
        case when r.dirt = 'queue_no_repeats' then 1 else queue_no end as queue_no,
        {_SPELLED_RECEPTION} as status,
        {_shifted("requested_at")} as requested_at, {_shifted("accepted_at")} as accepted_at,
        case when r.dirt = 'completed_without_called' then null
            when r.dirt = 'times_out_of_order' then db_time(started_at + interval 3 minute)
            else {_shifted("called_at")} end as called_at,
        case when r.dirt = 'times_out_of_order' then db_time(accepted_at - interval 5 minute)
            else {_shifted("started_at")} end as started_at,
        case when r.status = 'completed' then {_shifted("ended_at")} end as completed_at,
        case when r.status in ('cancelled_patient', 'cancelled_hospital', 'auto_cancelled_absent',
            'expired_day_end') then db_time(ended_at) end as cancelled_at,
        case r.status when 'cancelled_patient' then pick(['변심', '대기 시간', '일정 변경'],
                rnd('why', r.id))
            when 'cancelled_hospital' then '진료 마감'
            when 'auto_cancelled_absent' then '호출 부재' end as cancel_reason,
        db_time(requested_at) as created_at, db_time(touched) as updated_at, touched
    from reception_now as r
    left join spelling as s on s.kind = 'reception' and s.status = r.status
"""

_PRESCRIPTION_COLUMNS = """
    reception_id, member_id, hospital_id, doctor_id, issue_no,
    strftime(issued_date, '%Y-%m-%d') as issued_date, valid_days, insurance_type_cd,
    pharmacy_ykiho, db_time(sent_at) as sent_at, db_time(dispensed_at) as dispensed_at, status
"""

_TWIN = 900_000_000  # ids of rows that a loader has to reject start here

TABLES = {
    "members": Table(
        "id bigint, phone text, name text, birth_date date, sex text, email text, ci text, "
        "sggu_cd text, join_channel text, marketing_consent_at timestamp, "
        "health_consent_at timestamp, withdrawn_at timestamp, guardian_member_id bigint, "
        "created_at timestamp, updated_at timestamp, deleted_at timestamp",
        """
        select id, case id % 20
                when 0 then '+82 ' || phone[2:3] || ' ' || phone[4:7] || ' ' || phone[8:11]
                when 1 then phone[1:3] || '-' || phone[4:7] || '-' || phone[8:11]
                when 2 then phone[1:3] || '.' || phone[4:7] || '.' || phone[8:11]
                else phone end as phone,
            name, case when dirt = 'birth_1900' then '1900-01-01'
                else strftime(birth_date, '%Y-%m-%d') end as birth_date,
            sex, email, ci, sggu_cd, join_channel, db_time(marketing_consent_at),
            db_time(health_consent_at), db_time(withdrawn_at), guardian_id,
            db_time(created_at), db_time(touched), null::varchar, touched
        from member_now
        """,
    ),
    "member_merges": Table(
        "id bigint, from_member_id bigint, to_member_id bigint, merged_at timestamp",
        "select id, from_id, to_id, db_time(merged_at), merged_at as touched from member_merge",
    ),
    "hospitals": Table(
        "id bigint, ykiho text, business_no text, name text, cl_cd text, sido_cd text, "
        "sggu_cd text, addr text, tel text, x numeric, y numeric, emr_vendor text, "
        "contract_status text, opened_at date, closed_at date, created_at timestamp, "
        "updated_at timestamp",
        """
        select h.id, ykiho, business_no, case when dirt = 'name_without_type'
                then regexp_replace(h.name, '의원$', '') else h.name end,
            case when dirt = 'cl_cd_one' then '1' else cl_cd end, sido_cd, sggu_cd, addr, tel,
            case when dirt = 'x_y_swapped' then y else x end::double,
            case when dirt = 'x_y_swapped' then x else y end::double,
            case when dirt = 'vendor_spelling' then pick(s.words, rnd('vs', h.id))
                else emr_vendor end,
            contract_status, strftime(opened_at, '%Y-%m-%d'), strftime(closed_at, '%Y-%m-%d'),
            db_time(created_at), db_time(updated_at), touched_at as touched
        from hospital as h left join spelling as s on s.kind = 'emr' and s.status = emr_vendor
        """,
    ),
    "hospital_departments": Table(
        "hospital_id bigint, dgsbjt_cd text",
        """
        select hospital_id, case dirt when 'code_of_other_api' then 'D0' || code
                when 'old_name' then case code when '15' then '비뇨기과' when '11' then '소아과'
                    when '03' then '정신과' else '가정의학' || code end
                else code end as dgsbjt_cd, timestamp '1970-01-01' as touched
        from hospital_department
        """,
        "hospital_id, dgsbjt_cd",
    ),
    "doctors": Table(
        "id bigint, hospital_id bigint, name text, licence_no text, specialty_cd text, "
        "active boolean, created_at timestamp, updated_at timestamp",
        "select id, hospital_id, name, licence_no, specialty_cd, active, db_time(created_at), "
        "db_time(updated_at), updated_at as touched from doctor",
    ),
    "devices": Table(
        "id bigint, serial_no text, kind text, model text, hospital_id bigint, "
        "installed_at timestamp, returned_at timestamp, os text, app_version text, "
        "created_at timestamp, updated_at timestamp",
        """
        select id, case when dirt = 'serial_in_mixed_case' then lower(serial_no[1:2])
                || serial_no[3:] else serial_no end, kind, model, hospital_id,
            db_time(midnight(installed_on) + interval 10 hour), null::varchar, os, app_version,
            db_time(midnight(installed_on) + interval 10 hour),
            db_time(coalesce(moved_at, midnight(installed_on) + interval 10 hour)),
            coalesce(moved_at, midnight(installed_on) + interval 10 hour) as touched
        from device_now
        """,
    ),
    "tablet_sessions": Table(
        "id text, device_id bigint, hospital_id bigint, started_at timestamp, "
        "ended_at timestamp, end_reason text, last_screen text, member_id bigint, "
        "reception_id bigint, visitor_kind text, is_test boolean, created_at timestamp, "
        "updated_at timestamp",
        """
        select id, device_id, hospital_id, db_time(started_at),
            case when dirt = 'negative_length' then db_time(started_at - interval 90 second)
                else db_time(ended_at) end, end_reason, last_screen, member_id, reception_id,
            visitor_kind, is_test, db_time(started_at), db_time(touched), touched
        from tablet_session_now
        """,
    ),
    "bookings": Table(
        "id bigint, member_id bigint, hospital_id bigint, doctor_id bigint, department_cd text, "
        "slot_start timestamp, slot_end timestamp, channel text, status text, memo text, "
        "source_campaign text, created_at timestamp, updated_at timestamp",
        _BOOKING_QUERY,
    ),
    "receptions": Table(
        "id bigint, booking_id bigint, member_id bigint, hospital_id bigint, "
        "department_cd text, channel text, device_id bigint, queue_no bigint, status text, "
        "requested_at timestamp, accepted_at timestamp, called_at timestamp, "
        "started_at timestamp, completed_at timestamp, cancelled_at timestamp, "
        "cancel_reason text, created_at timestamp, updated_at timestamp",
        _RECEPTION_QUERY,
    ),
    "prescriptions": Table(
        "id bigint, reception_id bigint, member_id bigint, hospital_id bigint, "
        "doctor_id bigint, issue_no text, issued_date date, valid_days bigint, "
        "insurance_type_cd text, pharmacy_ykiho text, sent_at timestamp, "
        "dispensed_at timestamp, status text, memo text, created_at timestamp, "
        "updated_at timestamp",
        f"""
        select id, {_PRESCRIPTION_COLUMNS}, memo, db_time(created_at) as created_at,
            db_time(touched) as updated_at, touched
        from prescription_now
        union all
        select {_TWIN} + id, {_PRESCRIPTION_COLUMNS}, '보호자 확인 ' || printf('%02d0%d%02d',
            70 + id % 25, 1 + id % 9, 10 + id % 15) || '-' || (1 + id % 2)
            || lpad((100000 + id * 37 % 900000)::varchar, 6, '0'),
            db_time(created_at), db_time(touched), touched
        from prescription_now where dirt = 'rrn_in_memo'
        """,
    ),
    "prescription_diagnoses": Table(
        "prescription_id bigint, seq bigint, kcd_code text, is_main boolean, updated_at timestamp",
        """
        select prescription_id, seq, case dirt
                when 'kcd_with_dot' then kcd_code[1:3] || '.' || kcd_code[4:]
                when 'kcd_lower_case' then lower(kcd_code) || ' '
                when 'kcd_blank' then case when prescription_id % 2 = 0 then ' ' end
                else kcd_code end as kcd_code,
            case when dirt = 'no_main_flag' then null else is_main end, db_time(created_at),
            created_at as touched
        from diagnosis
        """,
        "prescription_id, seq",
    ),
    "prescription_items": Table(
        "prescription_id bigint, line_no bigint, drug_code text, drug_name text, "
        "dose_per_time numeric, times_per_day bigint, total_days bigint, usage_text text, "
        "in_house boolean, substituted_drug_code text, covered_yn text, updated_at timestamp",
        """
        select prescription_id, line_no, case when dirt = 'code_lost_zero'
                then ltrim(drug_code, '0') else drug_code end as drug_code, drug_name,
            dose::double, times_per_day, total_days, usage_text, in_house, substituted,
            covered_yn, db_time(created_at), created_at as touched
        from item
        """,
        "prescription_id, line_no",
    ),
    "dur_checks": Table(
        "id bigint, prescription_id bigint, item_line bigint, kind text, counterpart_code text, "
        "override_reason_cd text, checked_at timestamp",
        "select id, prescription_id, item_line, kind, counterpart_code, override_reason_cd, "
        "db_time(checked_at), checked_at as touched from dur_check",
    ),
    "payments": Table(
        "id bigint, reception_id bigint, order_id text, member_id bigint, amount numeric, "
        "covered_amount numeric, uncovered_amount numeric, method text, pg_tid text, "
        "status text, paid_at timestamp, cancelled_at timestamp, created_at timestamp, "
        "updated_at timestamp",
        f"""
        select id, reception_id, order_id, member_id, amount::double,
            (covered + case when dirt = 'amount_mismatch' then 500 else 0 end)::double,
            uncovered::double, method, pg_tid, status, db_time(created_at),
            db_time(cancelled_at), db_time(created_at) as created_at, db_time(touched),
            touched
        from payment_now
        union all
        select {_TWIN} + id, reception_id, order_id, member_id, amount::double, covered::double,
            uncovered::double, method, pg_tid, status, db_time(created_at),
            db_time(cancelled_at), db_time(created_at), '2099-01-01 00:00:00.000000', touched
        from payment_now where dirt = 'updated_in_2099'
        """,
    ),
    "reviews": Table(
        "id bigint, member_id bigint, hospital_id bigint, reception_id bigint, "
        "event_product_id bigint, rating bigint, text text, photo_count bigint, "
        "helpful_count bigint, unhelpful_count bigint, hidden_yn text, written_at timestamp, "
        "created_at timestamp, updated_at timestamp",
        """
        select id, member_id, hospital_id, reception_id, event_product_id,
            case when dirt = 'rating_zero' then 0 else rating end,
            case when dirt = 'by_staff' then '저희 병원 최고예요! - 원무과 직원' else body end,
            photo_count, helpful_count, unhelpful_count, hidden_yn,
            db_time(case when dirt = 'before_visit' then visited_at - interval 2 day
                else written_at end),
            db_time(written_at), db_time(touched), touched
        from review_now
        """,
    ),
    "event_products": Table(
        "id bigint, hospital_id bigint, title text, price bigint, application_fee bigint, "
        "ad_review_no text, ad_review_expires date, starts_on date, ends_on date, category text, "
        "created_at timestamp, updated_at timestamp",
        "select id, hospital_id, title, price, application_fee, ad_review_no, "
        "strftime(ad_review_expires, '%Y-%m-%d'), strftime(starts_on, '%Y-%m-%d'), "
        "strftime(ends_on, '%Y-%m-%d'), category, db_time(created_at), db_time(created_at), "
        "created_at as touched from event_product",
    ),
    "event_leads": Table(
        "id bigint, event_product_id bigint, member_id bigint, campaign text, status text, "
        "created_at timestamp, updated_at timestamp",
        "select id, event_product_id, member_id, campaign, status, db_time(created_at), "
        "db_time(touched), touched from lead_now",
    ),
    "campaigns_internal": Table(
        "id bigint, campaign text, medium text, media_campaign_id text, created_at timestamp, "
        "updated_at timestamp",
        "select id, campaign, medium, media_campaign_id, '2026-01-02 01:00:00.000000', "
        "'2026-01-02 01:00:00.000000', timestamp '2026-01-02 01:00:00' as touched from campaign",
    ),
    "erasure_requests": Table(
        "id bigint, member_id bigint, requested_at timestamp, reason text",
        "select id, member_id, db_time(requested_at), reason, requested_at as touched from erasure",
    ),
}

# Ages in days at which readers' votes of a review are counted: each time an equal part of all that
# it will ever get, so older reviews have more.
_VOTES_COUNTED = (1, 3, 7, 14, 30, 60)

# State tables whose rows can vanish at the source, and their table there.
_VANISHING = {
    "members": "select id from member where erased_at >= {before}",
    "reviews": "select id from review where deleted_at >= {before}",
    "event_leads": "select id from lead where deleted_at >= {before}",
}


def set_clock(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Show the clean state as of the world's present: one view a journey, named `<table>_now`."""
    now = literal(world.now)
    later = f"> {now}"
    views = {
        "member_now": f"""
            select * exclude (withdrawn_at), case when withdrawn_at < {now} then withdrawn_at end
                as withdrawn_at,
                greatest(touched_at, case when withdrawn_at < {now} then withdrawn_at
                    + case when dirt = 'withdrawn_updated_later' then interval 9 hour
                    else interval 0 hour end end) as touched
            from member where erased_at is null
        """,
        "booking_now": f"""
            select *, case when ended_at < {now} then outcome when arrived_at < {now}
                then 'arrived' when confirmed_at < {now} then 'confirmed' else 'requested' end
                as status,
                greatest(created_at, case when confirmed_at < {now} then confirmed_at end,
                    case when rescheduled_at < {now} then rescheduled_at end,
                    case when arrived_at < {now} then arrived_at end,
                    case when ended_at < {now} then ended_at end) as touched
            from booking
        """,
        "reception_now": f"""
            select *, case when ended_at < {now} then outcome else 'waiting' end as status,
                case when ended_at < {now} then ended_at else accepted_at end as touched
            from reception
        """,
        "prescription_now": f"""
            select * exclude (sent_at, dispensed_at),
                case when sent_at < {now} then sent_at end as sent_at,
                case when dispensed_at < {now} then dispensed_at end as dispensed_at,
                case when dispensed_at < {now} then 'dispensed'
                    when dispensed_at is null and midnight(issued_date + valid_days::int) < {now}
                    then 'expired'
                    when sent_at < {now} then 'sent' else 'issued' end as status,
                greatest(created_at, case when sent_at < {now} then sent_at end,
                    case when dispensed_at < {now} then dispensed_at end,
                    case when dispensed_at is null and midnight(issued_date + valid_days::int)
                        < {now} then midnight(issued_date + valid_days::int) end) as touched
            from prescription where created_at < {now}
        """,
        "payment_now": f"""
            select * exclude (status, cancelled_at),
                case when cancelled_at < {now} then 'cancelled' else status end as status,
                case when cancelled_at < {now} then cancelled_at end as cancelled_at,
                case when cancelled_at < {now} then cancelled_at else created_at end as touched,
                -- Thirteen digits, but never the shape of a resident registration number.
                strftime(created_at, '20%y') || lpad(order_no::varchar, 9, '0') as order_id,
                case when method <> 'cash' then 'pg-' || ident('pg', id) end as pg_tid
            from payment where created_at < {now}
        """,
        "review_now": f"""
            select * exclude (counted_at),
                coalesce(helpful * len(counted_at) // {len(_VOTES_COUNTED)}, 0) as helpful_count,
                coalesce(unhelpful * len(counted_at) // {len(_VOTES_COUNTED)}, 0)
                    as unhelpful_count,
                greatest(written_at, list_max(list_filter(counted_at, lambda t, n:
                    helpful * n // {len(_VOTES_COUNTED)}
                        > helpful * (n - 1) // {len(_VOTES_COUNTED)}
                    or unhelpful * n // {len(_VOTES_COUNTED)}
                        > unhelpful * (n - 1) // {len(_VOTES_COUNTED)}))) as touched
            from (
                select *, list_filter(list_transform({list(_VOTES_COUNTED)},
                    lambda age: midnight(kst_day(written_at) + age) + interval 4 hour),
                    lambda t: t < {now}) as counted_at
                from review where written_at < {now} and deleted_at is null
            )
        """,
        "lead_now": f"""
            select * exclude (contacted_at, closed_at),
                case when closed_at < {now} then outcome when contacted_at < {now} then 'contacted'
                    else 'applied' end as status,
                greatest(created_at, case when contacted_at < {now} then contacted_at end,
                    case when closed_at < {now} then closed_at end) as touched
            from lead where deleted_at is null
        """,
        "tablet_session_now": "select *, coalesce(greatest(started_at, ended_at), started_at) "
        "as touched from tablet_session",
        "device_now": f"select * from device where not (midnight(installed_on) {later})",
    }
    for name, query in views.items():
        run(con, f"create or replace temp view {name} as {query}")


def write(con: duckdb.DuckDBPyConnection, world: World, path: Path) -> dict[str, int]:
    """Write the database anew, or bring an existing one up to now in one transaction.

    Returns the rows of every table at the source now.
    """
    if world.is_founding:
        path.parent.mkdir(parents=True, exist_ok=True)
        tables = "; ".join(
            f"create table {name} ({table.columns}, primary key ({table.key}))"
            for name, table in TABLES.items()
        )
        with sqlite3.connect(path) as database:
            database.executescript(f"begin; {tables}; commit")
        database.close()
    # The driver's own interface: its DB-API module would import pandas where that is installed.
    with (
        adbc_driver_sqlite.connect(str(path)) as database,
        adbc_driver_manager.AdbcConnection(database) as connection,
    ):
        connection.set_autocommit(False)
        for name, table in TABLES.items():
            _write_table(con, world, connection, name, table)
        connection.commit()
    with sqlite3.connect(path) as database:
        counts = {
            f"app_db.{name}": database.execute(f"select count(*) from {name}").fetchone()[0]
            for name in TABLES
        }
    database.close()
    return counts


def _execute(connection: adbc_driver_manager.AdbcConnection, sql: str) -> None:
    with adbc_driver_manager.AdbcStatement(connection) as statement:
        statement.set_sql_query(sql)
        statement.execute_update()


def _ingest(
    connection: adbc_driver_manager.AdbcConnection,
    table: str,
    rows: pa.RecordBatchReader,
    is_stage: bool = False,
) -> None:
    """Append rows to a table, or put them into a temporary table of that name."""
    options = {
        "adbc.ingest.target_table": table,
        "adbc.ingest.mode": f"adbc.ingest.mode.{'create' if is_stage else 'append'}",
    }
    if is_stage:
        options["adbc.ingest.temporary"] = "true"
    with adbc_driver_manager.AdbcStatement(connection) as statement:
        statement.set_options(**options)
        statement.bind_stream(rows)
        statement.execute_update()


def _write_table(
    con: duckdb.DuckDBPyConnection,
    world: World,
    connection: adbc_driver_manager.AdbcConnection,
    name: str,
    table: Table,
) -> None:
    columns = [column.split()[0] for column in table.columns.split(", ")]
    query = (
        f"select * exclude (touched) from ({table.query}) as t ({', '.join(columns)}, touched) "
        f"where touched >= {literal(world.before)} order by {table.key}"
    )
    if world.is_founding:
        _ingest(connection, name, con.sql(query).to_arrow_reader(BATCH_ROWS))
        return
    if name in _VANISHING:
        gone = con.sql(_VANISHING[name].format(before=literal(world.before)))
        _ingest(connection, "gone", gone.to_arrow_reader(BATCH_ROWS), is_stage=True)
        _execute(connection, f"delete from {name} where id in (select id from temp.gone)")
        _execute(connection, "drop table temp.gone")
    rows = con.sql(query).to_arrow_reader(BATCH_ROWS)
    _ingest(connection, "stage", rows, is_stage=True)
    listed = ", ".join(columns)
    _execute(
        connection, f"insert or replace into {name} ({listed}) select {listed} from temp.stage"
    )
    _execute(connection, "drop table temp.stage")

"""The habitual dirt of real systems: which rows carry it, and what it does to them.

A dirty row keeps its clean values in the state; `dirt` names what the source shows instead.
Kinds that are part of what the business rules must judge (a drug code that isn't listed, a
supply of 999 days, a third of a tablet) change the state itself.
"""

from dataclasses import dataclass

import duckdb

from simulator.world import World, literal, run


@dataclass(frozen=True)
class Kind:
    """One kind of dirt in a state table: its share of the rows that `where` selects."""

    table: str
    name: str
    share: float
    where: str = "true"
    least: int = 2
    change: str = ""


# The rows a run makes, by table; dirt is planted only in those.
_NEW_ROWS = {
    "member": "created_at >= {before}",
    "booking": "created_at >= {before}",
    "reception": "day >= {first}",
    "diagnosis": "created_at >= {before}",
    "item": "created_at >= {before}",
    "prescription": "created_at >= {before}",
    "payment": "created_at >= {before}",
    "tablet_session": "started_at >= {before}",
    "review": "visited_at >= {before}",
    "lead": "created_at >= {before}",
}
_KEYS = {"diagnosis": "prescription_id * 16 + seq", "item": "prescription_id * 16 + line_no"}

# Events of an unreliable journey come late or not at all, so its row must stay right.
RELIABLE = "rnd('flaky' || '{entity}', id) >= 0.03"
_RELIABLE_RECEPTION = RELIABLE.format(entity="reception")

KINDS = (
    Kind("member", "birth_1900", 0.006, "guardian_id is null"),
    Kind("member", "withdrawn_updated_later", 0.2, "withdrawn_at < {last_midnight}"),
    Kind("booking", "slot_in_past", 0.002, "outcome in ('completed', 'no_show')"),
    Kind("booking", "status_spelling", 0.03),
    Kind("booking", "campaign_spelling", 0.03, "campaign is not null"),
    Kind("booking", "phone_in_memo", 0.01, "memo is not null"),
    Kind(
        "reception",
        "status_spelling",
        0.02,
        "outcome in (select status from spelling where kind = 'reception')",
    ),
    Kind(
        "reception", "times_out_of_order", 0.004, f"outcome = 'completed' and {_RELIABLE_RECEPTION}"
    ),
    Kind("reception", "completed_without_called", 0.01, "outcome = 'completed'"),
    Kind("reception", "queue_no_repeats", 0.003, "queue_no > 2"),
    Kind(
        "reception",
        "nine_hours_off",
        0.01,
        "outcome = 'completed' and day < {old_day} and " + _RELIABLE_RECEPTION,
    ),
    Kind("diagnosis", "kcd_with_dot", 0.05, "length(kcd_code) = 4"),
    Kind("diagnosis", "kcd_lower_case", 0.02),
    Kind("diagnosis", "kcd_blank", 0.02),
    Kind("diagnosis", "no_main_flag", 0.02, "seq = 1"),
    Kind("item", "code_lost_zero", 0.2, "drug_code like '0%'"),
    Kind("item", "days_zero", 0.003, change="total_days = 0"),
    Kind("item", "days_999", 0.003, change="total_days = 999"),
    Kind("item", "dose_third", 0.01, "not in_house", change="dose = 0.33333"),
    Kind(
        "item", "drug_not_listed", 0.002, change="drug_code = '0599001' || (10 + line_no)::varchar"
    ),
    Kind(
        "item",
        "drug_expired",
        0.004,
        "issued_date >= (select min(gone_on) from drug_gone)",
        change="drug_code = (select min(drug_code) from drug_gone where gone_on <= issued_date)",
    ),
    Kind(
        "payment",
        "won_with_decimals",
        0.004,
        "amount > 0",
        change="amount = amount + 0.30, covered = covered + 0.30",
    ),
    Kind("payment", "amount_mismatch", 0.006, "amount > 0"),
    Kind(
        "tablet_session",
        "never_ended",
        0.01,
        "not is_test and reception_id is null and started_at < {two_days_ago}",
        change="ended_at = null, end_reason = null",
    ),
    Kind("tablet_session", "negative_length", 0.003, "not is_test and end_reason is not null"),
    Kind(
        "tablet_session",
        "over_half_an_hour",
        0.004,
        "not is_test and end_reason = 'abandoned_timeout'",
        change="ended_at = plus(started_at, 2400)",
    ),
    Kind("review", "rating_zero", 0.006),
    Kind("review", "before_visit", 0.006),
    Kind("review", "by_staff", 0.01),
)

# What stays as it is once the company is founded.
_FOUNDING = (
    Kind("hospital", "cl_cd_one", 1, "cl_cd = '01'", 1),
    Kind("hospital", "x_y_swapped", 0.01, "visited", 1),
    Kind("hospital", "name_without_type", 0.03, "visited and cl_cd = '31'"),
    Kind(
        "hospital",
        "closed_with_receptions",
        0.006,
        "visited and id > 1",
        1,
        "closed_at = {first} + 3, contract_status = 'closed'",
    ),
    Kind("hospital", "vendor_spelling", 0.3, "visited and emr_vendor is not null"),
    Kind("hospital_department", "code_of_other_api", 0.03),
    Kind("hospital_department", "old_name", 0.03),
    Kind("device", "serial_in_mixed_case", 0.06),
    Kind("event_product", "review_number_expired", 0.04, change="ad_review_expires = {first} - 5"),
    Kind("prescription", "rrn_in_memo", 0.0001, least=3),
    Kind("payment", "updated_in_2099", 0.00002, "amount > 0", 1),
)


def plant(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Choose the rows of this run that carry dirt; at least a few of every kind when founding."""
    marks = {
        "before": literal(world.before),
        "first": literal(world.first),
        "last_midnight": f"midnight({literal(world.last)})",
        "two_days_ago": f"midnight({literal(world.last)} - 2)",
        "old_day": f"{literal(world.start)} + 15",
    }
    kinds = KINDS + (_FOUNDING if world.is_founding else ())
    for table in dict.fromkeys(kind.table for kind in kinds):
        _plant_table(con, world, table, [k for k in kinds if k.table == table], marks)
    if world.is_founding:
        _share_licences(con, world)


def _plant_table(
    con: duckdb.DuckDBPyConnection,
    world: World,
    table: str,
    kinds: list[Kind],
    marks: dict[str, str],
) -> None:
    key = _KEYS.get(table, "rowid" if table == "hospital_department" else "id")
    new = f"dirt is null and {_NEW_ROWS.get(table, 'true').format(**marks)}"
    conditions = [kind.where.format(**marks) for kind in kinds]
    counts = ", ".join(f"count(*) filter ({condition})" for condition in conditions)
    totals = run(con, f"select {counts} from {table} where {new}")[0]
    for kind, condition, total in zip(kinds, conditions, totals, strict=True):
        number = round(total * kind.share)
        if world.is_founding:
            number = min(total, max(kind.least, number))
        if number == 0:
            continue
        change = f", {kind.change.format(**marks)}" if kind.change else ""
        run(
            con,
            f"""
            update {table} set dirt = '{kind.name}'{change}
            where rowid in (
                select rowid from {table} where {new} and ({condition})
                order by rnd('{kind.name}', {key}), {key} limit {number}
            )
            """,
        )


def _share_licences(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """A doctor who works at two clinics has two rows with one licence."""
    run(
        con,
        f"""
        insert into doctor
        select (select max(id) from doctor) + row_number() over (order by d.id),
            1 + d.hospital_id % (select max(id) from hospital where visited), d.name, d.licence_no,
            d.specialty_cd, true, d.created_at, d.updated_at, 'licence_in_two_clinics'
        from doctor as d
        order by d.id limit {world.count(9, least=2)}
        """,
    )

"""Event products, reviews and cohorts: four marts against plain loops over their rows.

The loops know nothing of SQL: they take rows and count. What a mart says must be what they find,
row by row; then its statement runs over shuffled rows, and with a rule broken, which must be seen.
"""

import json
import math
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conftest import PROJECT, Goodoc
from test_macros import environment, values  # noqa: F401  # a fixture

Row = dict[str, Any]
Rows = list[Row]
Query = Callable[[str], Rows]
KST = timedelta(hours=9)
PERFORMANCE = "fct_event_product_performance_daily"
RANKING = "fct_event_product_ranking"
REVIEWS = "fct_review_order"
COHORTS = "fct_cohort_ltv_monthly"


@pytest.fixture(scope="module")
def built(analysed: Goodoc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """Queries of a copy of the company's warehouse, which a test may change and rolls back."""
    copy = tmp_path_factory.mktemp("copy") / "warehouse.duckdb"
    shutil.copyfile(analysed.home / "warehouse.duckdb", copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("set TimeZone = 'UTC'")

        def query(sql: str) -> Rows:
            result = connection.execute(sql)
            if not result.description:
                return []
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        yield query


@pytest.fixture(scope="module")
def compiled(analysed: Goodoc) -> dict[str, str]:
    """The statements of the marts as dbt made them."""
    manifest = json.loads((analysed.home / "dbt" / "manifest.json").read_text())
    names = (PERFORMANCE, RANKING, REVIEWS, COHORTS)
    return {name: manifest["nodes"][f"model.goodoc.{name}"]["compiled_code"] for name in names}


@pytest.fixture(scope="module")
def views(analysed: Goodoc) -> dict[str, str]:
    """The statements of the views that the marts read."""
    manifest = json.loads((analysed.home / "dbt" / "manifest.json").read_text())
    return {
        node["name"]: node["compiled_code"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "view"
    }


# -- arithmetic ----------------------------------------------------------------------------------


def six(value: Fraction | Decimal | float | int | None) -> Decimal | None:
    """Six decimals, half away from zero."""
    if value is None:
        return None
    if isinstance(value, float):
        value = Decimal(repr(value)).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    if isinstance(value, Fraction):
        scaled = abs(value) * 10**6
        whole = int(scaled) + (1 if scaled - int(scaled) >= Fraction(1, 2) else 0)
        return Decimal(whole if value >= 0 else -whole).scaleb(-6)
    return Decimal(value).quantize(Decimal("1e-6"), ROUND_HALF_UP)


def over(numerator: Decimal | int, denominator: Decimal | int) -> Decimal | None:
    return six(Fraction(numerator) / Fraction(denominator)) if denominator else None


def wilson(positive: Decimal | int, total: Decimal | int, z: float = 1.96) -> Decimal:
    if not total:
        return six(0)
    n, p = float(total), float(positive) / float(total)
    centre = p + z * z / (2 * n) - z * math.sqrt((p * (1 - p) + z * z / (4 * n)) / n)
    return six(centre / (1 + z * z / n))


def dirichlet(weights: dict[int, Decimal], z: float = 1.96) -> Decimal:
    total = float(sum(weights.values()))
    mean = sum(k * (float(n) + 1) for k, n in weights.items()) / (total + 5)
    square = sum(k * k * (float(n) + 1) for k, n in weights.items()) / (total + 5)
    return six(mean - z * math.sqrt((square - mean**2) / (total + 6)))


def half_life(age: int, days: int) -> Decimal:
    return six(2.0 ** (-age / days))


@pytest.mark.parametrize(
    ("positive", "total", "bound"), [(2, 2, "0.342"), (100, 101, "0.946"), (0, 5, "0")]
)
def test_the_loops_know_the_published_bounds(positive: int, total: int, bound: str) -> None:
    assert wilson(positive, total).quantize(Decimal("1e-3")) == Decimal(bound)


def kst(instant: datetime) -> date:
    return (instant + KST).date()


# -- what several marts need ---------------------------------------------------------------------


def settings(query: Query) -> dict[str, Decimal]:
    rows = query("from reference.ranking_settings")
    return {row["setting"]: Decimal(row["value"]) for row in rows}


def current_campaigns(query: Query) -> dict[str, set[tuple[str, str]]]:
    """Name -> (medium, campaign there) of the team's list as it is now."""
    newest: dict[int, Row] = {}
    for row in query("from staging.stg_app_db__campaigns_internal order by load_id"):
        newest[row["campaign_internal_id"]] = row
    found = defaultdict(set)
    for row in newest.values():
        if not row["is_deleted"] and row["campaign"]:
            found[row["campaign"]].add((row["medium"], row["media_campaign_id"] or None))
    return found


def only(items: set) -> Any:
    return next(iter(items)) if len(items) == 1 else None


def persons(query: Query) -> dict[str, str]:
    """Account -> the account that is left of the person's."""
    merges = {}
    for row in query("from staging.stg_app_db__member_merges order by member_merge_id"):
        if not row["is_deleted"]:
            merges[row["from_member_key"]] = row["to_member_key"]

    def left(key: str) -> str:
        for _ in range(5):
            key = merges.get(key, key)
        return key

    return {key: left(key) for key in merges}


def number_of(conversion: Row) -> int:
    return int(conversion["conversion_id"].split("-")[1])


# -- event products by day and medium ------------------------------------------------------------

COUNTS = (
    "views", "viewers", "application_starts", "applications", "bookings", "visits",
    "revenue_krw", "fee_krw",
)  # fmt: skip


def performance(query: Query) -> dict[tuple, Row]:
    campaigns = current_campaigns(query)
    media = {name: only({m for m, _ in where}) for name, where in campaigns.items()}
    found: dict[tuple, Row] = defaultdict(lambda: dict.fromkeys((*COUNTS, "spend_supply_krw"), 0))
    viewers, seen = defaultdict(set), set()
    views = defaultdict(lambda: defaultdict(int))  # (day, medium, campaign there) -> product
    newest: dict[tuple, str] = {}  # visitor and day -> campaign
    for row in query(
        "select * from staging.stg_app_events__events where not is_deleted"
        " order by occurred_at, event_id, load_id"
    ):
        product, day = row["event_product_id"], row["occurred_date"]
        if (row["event_id"], row["occurred_at"]) in seen:
            continue
        seen.add((row["event_id"], row["occurred_at"]))
        if row["utm_campaign"]:
            newest[row["visitor_key"], day] = row["utm_campaign"]
        if product is None or row["event_name"] not in ("view_event_product", "apply_start"):
            continue
        campaign = newest.get((row["visitor_key"], day))
        key = (day, product, media.get(campaign) or "(none)")
        if row["event_name"] == "apply_start":
            found[key]["application_starts"] += 1
            continue
        found[key]["views"] += 1
        viewers[key].add(row["visitor_key"])
        there = campaigns.get(campaign, set())
        if only(there) and only(there)[1]:
            views[(day, *only(there))][product] += 1
    for key, devices in viewers.items():
        found[key]["viewers"] = len(devices)

    person, fees = persons(query), {}
    for row in query("from staging.stg_app_db__event_products"):
        fees[row["event_product_id"]] = row["application_fee_krw"] or 0
    done = query("from marketing.fct_conversions")
    for row in done:
        row["person"] = person.get(row["member_key"], row["member_key"])
    applications = defaultdict(list)
    for row in done:
        if row["conversion_type"] == "application":
            applications[row["person"], row["hospital_id"]].append(row)
            into = found[
                row["created_date"], row["event_product_id"] or 0, row["medium"] or "(none)"
            ]
            into["applications"] += 1
            into["fee_krw"] += 0 if row["is_cancelled"] else fees.get(row["event_product_id"], 0)
    names = {"booking": "bookings", "visit": "visits"}
    for row in done:
        if row["conversion_type"] == "application" or not row["person"] or not row["converted_at"]:
            continue
        before = [
            each
            for each in applications[row["person"], row["hospital_id"]]
            if each["converted_at"] <= row["converted_at"]
            and 0 <= (row["created_date"] - each["created_date"]).days <= 30
        ]
        if not before:
            continue
        newest = max(
            before, key=lambda e: (e["converted_at"], int(e["conversion_id"].split("-")[1]))
        )
        into = found[
            row["created_date"], newest["event_product_id"] or 0, newest["medium"] or "(none)"
        ]
        if row["conversion_type"] in names:
            into[names[row["conversion_type"]]] += 1
        into["revenue_krw"] += row["value_krw"]

    spent: dict[tuple, Decimal] = defaultdict(Decimal)
    for row in query("from marketing.fct_ad_delivery_daily"):
        spent[row["stat_date"], row["medium"], row["campaign_id"]] += row["spend_supply_krw"]
    for (day, medium, campaign), spend in spent.items():
        shown = views.get((day, medium, campaign), {0: 1})
        rest = spend
        for product in sorted(shown)[:-1]:
            won = math.floor(over(spend * shown[product], sum(shown.values())))
            found[day, product, medium]["spend_supply_krw"] += won
            rest -= won
        found[day, max(shown), medium]["spend_supply_krw"] += rest
    for row in found.values():
        row["margin_krw"] = row["fee_krw"] - row["spend_supply_krw"]
    return found


def keyed(rows: Rows, key: tuple[str, ...], columns: tuple[str, ...]) -> dict[tuple, tuple]:
    return {tuple(row[name] for name in key): tuple(row[name] for name in columns) for row in rows}


PERFORMANCE_KEY = ("stat_date", "event_product_id", "medium")
PERFORMANCE_COLUMNS = (*COUNTS, "spend_supply_krw", "margin_krw")


def expected_performance(query: Query) -> dict[tuple, tuple]:
    return {
        key: tuple(row[name] for name in PERFORMANCE_COLUMNS)
        for key, row in performance(query).items()
    }


# -- the order of reviews ------------------------------------------------------------------------


def judged(query: Query) -> tuple[date, Rows]:
    """The newest day, and the reviews that readers can see with what they are worth."""
    number = settings(query)
    visits = {
        number_of(row): row
        for row in query("from marketing.fct_conversions where conversion_type = 'visit'")
    }
    been = defaultdict(list)
    for row in visits.values():
        been[row["member_key"], row["hospital_id"]].append(row["converted_at"])
    bookings = query("select max(created_at) as newest from raw_app_db.bookings")
    raw = query("from raw_app_db.reviews")
    newest = max(kst(bookings[0]["newest"]), *(kst(row["created_at"]) for row in raw))
    found = []
    for row in raw:
        if row["_deleted_at"] or (row["hidden_yn"] or "").strip().upper() == "Y":
            continue
        visit = visits.get(row["reception_id"])
        if visit and (visit["member_key"], visit["hospital_id"]) != (
            row["member_id"], row["hospital_id"],
        ):  # fmt: skip
            visit = None
        if row["reception_id"] is None:
            earlier = been[row["member_id"], row["hospital_id"]]
            there = any(each and each <= row["written_at"] for each in earlier)
        else:
            there = bool(visit) and visit["converted_at"] <= row["written_at"]
        out = bool(visit) and visit["converted_at"] > row["written_at"]
        age = (newest - kst(row["written_at"])).days
        weight = half_life(age, int(number["review_half_life_days"]))
        for holds, setting in (
            (there, "review_unverified_weight"), (row["photo_count"], "review_no_photo_weight"),
        ):  # fmt: skip
            weight = six(weight * (1 if holds else number[setting]))
        found.append({
            "review_id": row["id"], "hospital": row["hospital_id"],
            "event_product": row["event_product_id"], "written_at": row["written_at"],
            "stars": row["rating"] if row["rating"] in range(1, 6) else None,
            "out": "before_visit" if out else None, "weight": Decimal(0) if out else weight,
            "helpful": row["helpful_count"] or 0, "unhelpful": row["unhelpful_count"] or 0,
        })  # fmt: skip
    return newest, found


REVIEW_KEY = ("list_type", "review_id")
REVIEW_COLUMNS = (
    "list_position", "exclusion_reason", "stars", "evidence_weight", "helpful_lower_bound",
    "list_review_count", "list_bayesian_stars", "list_stars_lower_bound",
)  # fmt: skip


def expected_reviews(query: Query) -> dict[tuple, tuple]:
    prior_count = settings(query)["stars_prior_count"]
    _, reviews = judged(query)
    found = {}
    for kind in ("hospital", "event_product"):
        lists = defaultdict(list)
        for row in reviews:
            if row[kind] is not None:
                lists[row[kind]].append(row)
        starred = [row for rows in lists.values() for row in rows if row["stars"]]
        prior = over(
            sum((row["stars"] * row["weight"] for row in starred), Decimal(0)),
            sum((row["weight"] for row in starred), Decimal(0)),
        )
        for rows in lists.values():
            stars = {k: Decimal(0) for k in range(1, 6)}
            for row in rows:
                if row["stars"]:
                    stars[row["stars"]] += row["weight"]
            bayesian = over(
                prior_count * prior + sum(k * n for k, n in stars.items()),
                prior_count + sum(stars.values()),
            )

            def bound(row: Row) -> Decimal:
                votes = (row["helpful"] + row["unhelpful"]) * row["weight"]
                return wilson(row["helpful"] * row["weight"], votes)

            def place(row: Row) -> tuple:
                return (
                    -bound(row), row["unhelpful"] * row["weight"], -row["weight"],
                    -row["written_at"].timestamp(), -row["review_id"],
                )  # fmt: skip

            shown = sorted((row for row in rows if not row["out"]), key=place)
            for row in rows:
                found[kind, row["review_id"]] = (
                    None if row["out"] else shown.index(row) + 1, row["out"], row["stars"],
                    row["weight"], bound(row), len(shown), bayesian, dirichlet(stars),
                )  # fmt: skip
    return found


# -- the order of event products -----------------------------------------------------------------

RANKING_KEY = ("event_product_id",)
RANKING_COLUMNS = (
    "overall_rank", "previous_overall_rank", "overall_rank_change", "regional_rank",
    "previous_regional_rank", "score", "previous_score", "conversion_lower_bound",
    "bayesian_stars", "demand", "margin_per_view_krw", "conversion_term", "stars_term",
    "demand_term", "margin_term",
)  # fmt: skip
TERMS = {
    "conversion": "conversion_lower_bound", "stars": "bayesian_stars", "demand": "demand",
    "margin": "margin_per_view_krw",
}  # fmt: skip


def ranked(query: Query, day: date, reviews: Rows) -> dict[int, Row]:
    """Every product as of a day, with its terms and places."""
    number = settings(query)
    days = query(f"from marketing.{PERFORMANCE}")
    products = query("from core.dim_event_products")
    stars = [
        row for row in reviews
        if row["stars"] and not row["out"] and kst(row["written_at"]) <= day
    ]  # fmt: skip
    category = {row["event_product_id"]: row["category"] for row in products}
    stars = [row for row in stars if row["event_product"] in category]
    found = {}
    for product in products:
        own = product["event_product_id"]
        rows = [
            (row, (day - row["stat_date"]).days) for row in days
            if row["event_product_id"] == own
            and 0 <= (day - row["stat_date"]).days < number["product_window_days"]
        ]  # fmt: skip
        views, viewers, applications, margin = (
            sum((row[name] for row, _ in rows), 0)
            for name in ("views", "viewers", "applications", "margin_krw")
        )
        demand = sum(
            (
                six(
                    sum(
                        number[f"product_demand_per_{name}"] * row[f"{name}s"]
                        for name in ("view", "application", "booking")
                    )
                    * half_life(age, int(number["product_demand_half_life_days"]))
                )
                for row, age in rows
            ),
            Decimal(0),
        )
        kin = [r["stars"] for r in stars if category[r["event_product"]] == product["category"]]
        kin = kin or [row["stars"] for row in stars]
        mine = [row["stars"] for row in stars if row["event_product"] == own]
        prior_count = number["stars_prior_count"]
        found[own] = {
            "sale": product["starts_date"] <= day <= (product["ends_date"] or date.max),
            "region": (product["sido_code"], product["category"]),
            "conversion_lower_bound": wilson(min(applications, viewers), viewers),
            "bayesian_stars": kin and over(
                prior_count * over(sum(kin), len(kin)) + sum(mine), prior_count + len(mine)
            ),
            "demand": demand,
            "margin_per_view_krw": over(margin, views) if rows else None,
        }  # fmt: skip
    for row in found.values():
        row["score"] = Decimal(0)
        for term, name in TERMS.items():
            beside = [
                r[name] for r in found.values() if r["sale"] == row["sale"] and r[name] is not None
            ]
            if row[name] is None:
                share = None
            else:
                share = over(row[name] - min(beside), max(beside) - min(beside))
            row[f"{term}_term"] = share or Decimal(0)
            row["score"] += row["sale"] * number[f"product_{term}_weight"] * row[f"{term}_term"]
        row["score"] = six(row["score"])
    order = sorted(
        (key for key in found if found[key]["sale"]), key=lambda k: (-found[k]["score"], k)
    )
    for key, row in found.items():
        beside = [each for each in order if found[each]["region"] == row["region"]]
        row["overall_rank"] = order.index(key) + 1 if key in order else None
        row["regional_rank"] = beside.index(key) + 1 if key in beside else None
    return found


def expected_ranking(query: Query) -> dict[tuple, tuple]:
    newest, reviews = judged(query)
    now, before = (ranked(query, day, reviews) for day in (newest, newest - timedelta(days=7)))
    found = {}
    for key, row in now.items():
        for name in ("overall_rank", "regional_rank", "score"):
            row[f"previous_{name}"] = before[key][name]
        both = row["overall_rank"], row["previous_overall_rank"]
        row["overall_rank_change"] = None if None in both else both[1] - both[0]
        found[key,] = tuple(row[name] for name in RANKING_COLUMNS)
    return found


# -- cohorts -------------------------------------------------------------------------------------

COHORT_KEY = ("acquired_month_date", "medium", "age_months")
COHORT_COLUMNS = (
    "is_complete", "acquired_members", "active_members", "applications", "bookings", "visits",
    "payments", "revenue_krw", "cumulative_revenue_krw", "lifetime_value_krw",
    "spend_supply_krw", "acquisition_cost_krw", "payback_age_months",
)  # fmt: skip


def month(day: date) -> date:
    return day.replace(day=1)


def later(day: date, months: int) -> date:
    years, rest = divmod(day.month - 1 + months, 12)
    return date(day.year + years, rest + 1, 1)


def expected_cohorts(query: Query) -> dict[tuple, tuple]:
    person = persons(query)
    joined: dict[str, date] = {}
    accounts = query("from staging.stg_app_db__members where not is_deleted")
    for row in accounts:
        key = person.get(row["member_key"], row["member_key"])
        joined[key] = min(joined.get(key, date.max), kst(row["created_at"]))
    first: dict[str, Row] = {}
    for row in query("from marketing.fct_touchpoints where medium is not null"):
        day = joined.get(row["member_key"])
        if day and 0 <= (day - row["touch_date"]).days <= 30:
            best = first.get(row["member_key"])
            order = (row["touched_at"], row["touch_id"])
            if not best or order < (best["touched_at"], best["touch_id"]):
                first[row["member_key"]] = row
    medium = {key: first[key]["medium"] if key in first else "(none)" for key in joined}
    done = query("from marketing.fct_conversions")
    known = {row["member_key"] for row in accounts}
    start, end = (f(row["created_date"] for row in done) for f in (min, max))
    spend: dict[tuple, Decimal] = defaultdict(Decimal)
    for row in query("from marketing.fct_ad_delivery_daily"):
        spend[month(row["stat_date"]), row["medium"]] += row["spend_supply_krw"]
    members = defaultdict(set)
    for key, day in joined.items():
        members[month(day), medium[key]].add(key)
    acts = defaultdict(list)
    for row in done:
        key = person.get(row["member_key"], row["member_key"])
        if row["member_key"] in known and key in joined:
            acts[month(joined[key]), medium[key], month(row["created_date"])].append((key, row))
    found = {}
    for since, by in {*members, *spend}:
        if since < month(start) or since > end:
            continue
        count, cost, paid, payback, rows = len(members[since, by]), spend[since, by], 0, None, []
        age = 0
        while (now := later(since, age)) <= end:
            own = acts[since, by, now]
            kinds = [row["conversion_type"] for _, row in own]
            revenue = sum(row["value_krw"] for _, row in own)
            paid += revenue
            if payback is None and cost and paid >= cost:
                payback = age
            rows.append((
                later(since, age + 1) <= end + timedelta(days=1) and start <= since, count,
                len({key for key, _ in own}),
                *(kinds.count(kind) for kind in ("application", "booking", "visit", "payment")),
                revenue, paid, over(paid, count), cost, over(cost, count),
            ))  # fmt: skip
            age += 1
        found |= {(since, by, n): (*row, payback) for n, row in enumerate(rows)}
    return found


# -- mart and loop -------------------------------------------------------------------------------

MARTS = {
    PERFORMANCE: (expected_performance, PERFORMANCE_KEY, PERFORMANCE_COLUMNS),
    REVIEWS: (expected_reviews, REVIEW_KEY, REVIEW_COLUMNS),
    RANKING: (expected_ranking, RANKING_KEY, RANKING_COLUMNS),
    COHORTS: (expected_cohorts, COHORT_KEY, COHORT_COLUMNS),
}


def unlike(found: dict[tuple, tuple], wanted: dict[tuple, tuple]) -> list[str]:
    return [
        f"{key}: {found.get(key)} is not {wanted.get(key)}"
        for key in sorted({*found, *wanted}, key=str)
        if found.get(key) != wanted.get(key)
    ]


@pytest.mark.parametrize("name", MARTS)
def test_each_row_is_what_the_loop_finds(built: Query, name: str) -> None:
    expected, key, columns = MARTS[name]
    wanted = expected(built)
    assert len(wanted) >= 20
    problems = unlike(keyed(built(f"from marketing.{name}"), key, columns), wanted)
    assert not problems, "\n".join(problems[:10])


# What a statement reads, in another order: no sum and no place may depend on it.
SHUFFLED = (
    "marketing.fct_event_product_performance_daily", "marketing.fct_conversions",
    "marketing.fct_touchpoints", "marketing.fct_ad_delivery_daily", "core.dim_members",
    "core.dim_event_products", "raw_app_db.reviews", "raw_app_db.event_leads",
)  # fmt: skip


@pytest.mark.parametrize("name", MARTS)
def test_the_order_of_rows_changes_nothing(
    built: Query, compiled: dict[str, str], name: str
) -> None:
    columns = [row["column_name"] for row in built(f"describe marketing.{name}")]
    before = sorted(map(repr, (tuple(r[c] for c in columns) for r in built(compiled[name]))))
    assert before == sorted(
        map(repr, (tuple(r[c] for c in columns) for r in built(f"from marketing.{name}")))
    )
    built("begin")
    try:
        for table in SHUFFLED:
            built(f"create temp table shuffled as from {table} order by hash(rowid * 7919)")
            built(f"delete from {table}")
            built(f"insert into {table} by name from shuffled")
            built("drop table shuffled")
        after = sorted(map(repr, (tuple(r[c] for c in columns) for r in built(compiled[name]))))
    finally:
        built("rollback")
    assert after == before


# A rule, and what breaks it in the mart's statement or in a view that it reads.
MUTATIONS = {
    "spend by views": (PERFORMANCE, "", r"spend_supply_krw \* views", "spend_supply_krw"),
    "a rest of won": (PERFORMANCE, "", r"- sum\(whole_krw\) over campaign_days", ""),
    "viewers once": (PERFORMANCE, "", "count\\(distinct case", "count(case"),
    "thirty days": (
        PERFORMANCE, "int_marketing__event_product_outcomes",
        r"cast\(30 as bigint\)", "cast(1 as bigint)",
    ),
    "not made later": (
        PERFORMANCE, "int_marketing__event_product_outcomes",
        r"and actions\.converted_at >= .*\s+and actions\.created_date >= .*", "",
    ),
    "no fee when cancelled": (
        PERFORMANCE, "int_marketing__event_product_outcomes",
        "actions\\.is_cancelled then 0", "false then 0",
    ),
    "half-life": (REVIEWS, "int_marketing__reviews_judged", "power\\(\\s*2", "power(3"),
    "before the visit": (REVIEWS, "int_marketing__reviews_judged", "'before_visit'", "null"),
    "hidden ones": (REVIEWS, "int_marketing__reviews_judged", "and not is_hidden", ""),
    "no star is none": (
        REVIEWS, "int_marketing__reviews_judged", "between 1 and 5", "between 0 and 5",
    ),
    "weights before Wilson": (REVIEWS, "", r"\* evidence_weight \* exp", "* exp"),
    "stars seen once": (REVIEWS, "", r"weighted_squares \+ 55", "weighted_squares + 50"),
    "newer first": (REVIEWS, "", "evidence_weight desc", "evidence_weight asc"),
    "a day's age": (RANKING, "", "< settings.product_window_days", "< 7"),
    "on sale": (RANKING, "int_marketing__event_product_candidates", "ends_date >=", "ends_date <"),
    "category first": (
        RANKING, "int_marketing__event_product_candidates", ", products.category", "",
    ),
    "a week before": (RANKING, "int_marketing__reviews_as_of_days", "-7", "-6"),
    "Wilson in a rank": (RANKING, "", r"a \+ z \* z / 2", "a + z * z"),
    "a month's end": (COHORTS, "", "month_end_date <=", "month_end_date >"),
    "money adds up": (COHORTS, "", "rows between unbounded preceding", "rows between 0 preceding"),
}  # fmt: skip


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_broken_rule_is_seen(
    built: Query, compiled: dict[str, str], views: dict[str, str], rule: str
) -> None:
    name, view, pattern, instead = MUTATIONS[rule]
    expected, key, columns = MARTS[name]
    wanted = expected(built)
    built("begin")
    try:
        if view:
            broken, count = re.subn(pattern, instead, views[view])
            built(f"create or replace view intermediate.{view} as {broken}")
            statement = compiled[name]
        else:
            statement, count = re.subn(pattern, instead, compiled[name])
        assert count
        assert unlike(keyed(built(statement), key, columns), wanted)
    finally:
        built("rollback")


# -- the same decimals on each engine ------------------------------------------------------------

COUNTED = [(0, 5), (2, 2), (100, 101), (1, 3), (7, 11), (999, 1000), (0, 1), (12345, 99999)]
AGES = [0, 1, 45, 179, 180, 361, 1260, 4000]  # after seven half-lives the seventh decimal is a 5
STARRED = [{}, {5: 2}, {1: 1, 3: 2, 5: 4}, {1: 900, 2: 13, 4: 77, 5: 3210}, {3: 1}]
PRIORS = [(2, 2, "0.818182"), (100, 101, "0.958678")]  # m = 20, C = 0.8


def expression(model: str, start: str, end: str, names: dict[str, str]) -> str:
    """An expression of a model as it stands between two texts, with values for its columns."""
    (file,) = PROJECT.glob(f"models/**/{model}.sql")
    (found,) = re.findall(f"{start}(.*?){end}", file.read_text(), re.S)
    found = found.replace("{{ one }}", "exp(0)")
    for name, value in names.items():
        found = re.sub(rf"(?<![\w.]){re.escape(name)}\b", value, found)
    return " ".join(found.split())


def cases() -> list[tuple[str, Decimal]]:
    """Expressions of the models, and what they are worth."""
    found, z = [], "(1.96 * exp(0))"
    for positive, total in COUNTED:
        a, n = f"({positive} * exp(0))", f"({total} * exp(0))"
        for model, names in (
            (RANKING, {"n": n, "a": a, "z": z}),
            (REVIEWS, {"weighted.votes": n, "weighted.helpful": a, "settings.z": z}),
        ):
            count = re.escape(next(iter(names)))
            text = expression(model, rf"when {count} > 0\s+then ", r"\s+else ", names)
            found.append((text, wilson(positive, total)))
    for age in AGES:
        names = {"aged.age_days": str(age), "settings.review_half_life_days": "180"}
        text = expression(
            "int_marketing__reviews_judged", "from there\n", " as recency_weight", names
        )
        found.append((text, half_life(age, 180)))
    for stars in STARRED:
        weights = {k: Decimal(stars.get(k, 0)) for k in range(1, 6)}
        total = sum(weights.values())
        names = {
            "list_means.n": f"({total} * exp(0))",
            "list_means.mean": f"({sum(k * n for k, n in weights.items()) + 15} * exp(0)"
            f" / ({total} + 5))",
            "list_means.mean_square": f"({sum(k * k * n for k, n in weights.items()) + 55} * exp(0)"
            f" / ({total} + 5))",
            "settings.z": z,
        }
        text = expression(REVIEWS, "from there\n", " as stars_lower_bound", names)
        found.append((text, dirichlet(weights)))
    for positive, total, value in PRIORS:
        text = f"{{{{ ratio('20 * 0.8 + {positive}', '20 + {total}') }}}}"
        found.append((text, Decimal(value)))
    return found


@pytest.mark.parametrize("environment", ["duckdb", "postgres", "bigquery"], indirect=True)
def test_each_bound_has_the_same_decimals_on_each_engine(
    environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    texts, wanted = zip(*cases(), strict=True)
    found = [six(Decimal(value)) for value in values(list(texts), environment, tmp_path)]
    wrong = [
        f"{text} is {value}, not {right}"
        for text, value, right in zip(texts, found, wanted, strict=True)
        if value != right
    ]
    assert len(found) == 31 and not wrong, "\n".join(wrong)

"""Recommendations against a second opinion: the same rules in plain Python, on small made-up
worlds and on a whole company. And what has no business in a list isn't in one."""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from conftest import Goodoc

ANY = "(all)"
# what the lists are made of: in a made-up world these are written by the test
BASE = {
    "intermediate": ["int_marketing__item_interest_days", "int_core__member_merges_followed"],
    "staging": ["stg_app_db__members"],
    "core": ["dim_regions", "dim_event_products"],
}
# what is made of it, in order
MADE = {
    "intermediate/marketing/int_marketing__": [
        "recommendation_rules", "recommendation_members", "item_interests",
        "recommendation_holdouts", "item_training", "item_similarities", "item_popularity",
        "recommendation_asked", "recommendation_recent_items", "recommendation_regions",
        "recommendation_neighbours", "recommendation_back_off", "recommendation_lists",
    ],
    "marts/marketing/fct_": ["item_similarity", "recommendations", "recommendation_evaluation"],
}  # fmt: skip


# -- the rules, once more ------------------------------------------------------------------------


@dataclass
class Member:
    key: str
    born: int
    sido: str | None
    health: bool

    @property
    def band(self) -> str:
        return f"{self.born // 10 * 10}-{self.born // 10 * 10 + 9}"


@dataclass
class Product:
    category: str
    sido: str
    starts: date | None
    ends: date | None

    def is_open(self, day: date) -> bool:
        return (self.starts or day) <= day <= (self.ends or day)


@dataclass
class Interest:
    last: date
    weight: int = 0
    applied: bool = False
    recent: bool = False


Known = dict[str, dict[int, Interest]]  # member, offer


@dataclass
class Opinion:
    """What plain Python makes of the base tables."""

    members: dict[str, Member] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    days: list[tuple[date, str, int, int, bool, bool]] = field(default_factory=list)
    holdouts: dict[str, tuple[int, date]] = field(default_factory=dict)
    as_of: date = date.min

    def __init__(self, query: Callable[[str], list[tuple]]):
        ((self.as_of,),) = query(
            "select max(interest_date) from intermediate.int_marketing__item_interest_days"
        )
        since = self.as_of - timedelta(days=89)
        merged = dict(query("select * from intermediate.int_core__member_merges_followed"))
        sidos = dict(query("select sggu_code, sido_code from core.dim_regions where is_newest"))
        self.members = {
            key: Member(key, born, sidos.get(sggu), agreed(health, left))
            for key, born, sggu, guardian, closed, left, marketing, health in query(
                "select member_key, birth_year, sggu_code, guardian_member_key, account_deleted_at,"
                " withdrawn_at, marketing_consent_at, health_consent_at"
                " from staging.stg_app_db__members where not is_deleted"
            )
            if key not in merged and guardian is None and closed is None
            and agreed(marketing, left) and born is not None and self.as_of.year - born >= 20
        }  # fmt: skip
        self.products = {
            item: Product(category or "(none)", sido or "(none)", starts, ends)
            for item, category, sido, starts, ends in query(
                "select event_product_id, category, sido_code, starts_date, ends_date"
                " from core.dim_event_products where not is_sensitive"
            )
        }
        summed: dict[tuple, list] = {}
        for day, account, item, views, applications, bookings, visits in query(
            "select interest_date, member_key, event_product_id, view_count, application_count,"
            " booking_count, visit_count from intermediate.int_marketing__item_interest_days"
        ):
            key = merged.get(account, account)
            if key in self.members and item in self.products:
                weight = views + 5 * applications
                if self.members[key].health:
                    weight += 10 * bookings + 20 * visits
                found = summed.setdefault((day, key, item), [0, False])
                found[0] += weight
                found[1] |= applications > 0
        self.days = [(*key, weight, applied, key[0] >= since) for key, (weight, applied) in
                     summed.items()]  # fmt: skip
        self.holdouts = dict(self._held_out())

    def _held_out(self) -> Iterator[tuple[str, tuple[int, date]]]:
        last: dict[str, tuple[date, int]] = {}
        first: dict[tuple[str, int], date] = {}
        for day, key, item, _, applied, recent in self.days:
            if applied:
                first[key, item] = min(first.get((key, item), day), day)
                if recent:
                    last[key] = max(last.get(key, (day, item)), (day, item))
        for key, (day, item) in last.items():
            earlier = any(
                k == key and i != item and d < day and r for d, k, i, _, _, r in self.days
            )
            if first[key, item] == day and earlier:
                yield key, (item, day)

    def known(self, is_held_out: bool) -> Known:
        found: Known = defaultdict(dict)
        for day, key, item, weight, applied, recent in self.days:
            if is_held_out and key in self.holdouts:
                held, until = self.holdouts[key]
                if day >= until or item == held:
                    continue
            each = found[key].setdefault(item, Interest(day))
            each.last = max(each.last, day)
            each.applied |= applied
            each.recent |= recent
            each.weight += weight if recent else 0
        for items in found.values():
            for each in items.values():
                each.weight = min(each.weight, 20)
        return found

    def similarities(self, known: Known) -> dict[int, list[tuple[int, dict[str, Any]]]]:
        """The fifty nearest of each offer, nearest first."""
        people = {
            key: {i: each.weight for i, each in items.items() if each.recent}
            for key, items in known.items()
        }
        people = {key: items for key, items in people.items() if 0 < len(items) <= 100}
        count = Counter(i for items in people.values() for i in items)
        norm = Counter()
        both: Counter = Counter()
        dot: Counter = Counter()
        for items in people.values():
            for i, weight in items.items():
                norm[i] += weight * weight
                for j, other in items.items():
                    if i != j:
                        both[i, j] += 1
                        dot[i, j] += weight * other
        n = len(people)
        found: dict[int, list] = defaultdict(list)
        for (i, j), c in both.items():
            if c < 20 or count[i] < 5 or count[j] < 5:
                continue
            npmi = 1.0
            if c < n:
                lift = math.log(c * n) - math.log(count[i] * count[j])
                npmi = lift / (math.log(n) - math.log(c))
            cosine = dot[i, j] / (math.sqrt(norm[i]) * math.sqrt(norm[j]))
            found[i].append((j, {
                "people": count[i], "similar_people": count[j], "people_of_both": c,
                "all_people": n, "lift": decimal(c * n, count[i] * count[j]),
                "npmi": decimal(millionths(npmi), 10**6),
                "jaccard": decimal(c, count[i] + count[j] - c),
                "cosine": decimal(millionths(c / math.sqrt(count[i] * count[j])), 10**6),
                "score": decimal(millionths(cosine * c / (c + 10)), 10**6),
            }))  # fmt: skip
        return {
            i: sorted(near, key=lambda n: (-n[1]["score"], -n[1]["people_of_both"], n[0]))[:50]
            for i, near in found.items()
        }

    def popularity(self, known: Known) -> dict[tuple[str, str, str], list[tuple[int, int]]]:
        """Offers by cell of region, category and age band: (offer, people), most popular first."""
        cells: dict[tuple, Counter] = defaultdict(Counter)
        who: dict[tuple, set] = defaultdict(set)
        for key, items in known.items():
            for item, each in items.items():
                if each.recent:
                    product = self.products[item]
                    for sido in (product.sido, ANY):
                        for category in (product.category, ANY):
                            for band in (self.members[key].band, ANY):
                                cells[sido, category, band][item] += 1
                                who[sido, category, band].add(key)
        return {
            cell: sorted(items.items(), key=lambda each: (-each[1], each[0]))
            for cell, items in cells.items()
            if len(who[cell]) >= 20
        }

    def lists(
        self, is_held_out: bool, similar: dict | None = None, anywhere: bool = False,
        with_neighbours: bool = True,
    ) -> dict[str, list[tuple[int, Decimal | None, int | None]]]:  # fmt: skip
        """Each asked member's offers in order: (offer, score, reason)."""
        known = self.known(is_held_out)
        similar = self.similarities(known) if similar is None else similar
        popular = self.popularity(known)
        found = {}
        for key in self.holdouts if is_held_out else self.members:
            day = self.holdouts[key][1] if is_held_out else self.as_of
            mine = known.get(key, {})
            recent = sorted(
                ((i, each) for i, each in mine.items() if each.recent),
                key=lambda pair: (-pair[1].last.toordinal(), -pair[1].weight, pair[0]),
            )[:20]
            home = self.members[key].sido
            regions = {home} - {None} | {self.products[i].sido for i, _ in recent} or {ANY}
            regions = {ANY} if anywhere else regions

            def is_open(item: int, day: date = day, mine: dict = mine, here: set = regions) -> bool:
                product = self.products[item]
                taken = item in mine and mine[item].applied
                return product.is_open(day) and not taken and (product.sido in here or ANY in here)

            points: Counter = Counter()
            reasons: dict[int, tuple] = {}
            for i, each in recent:
                left = millionths(math.exp(-(day - each.last).days * math.log(2) / 30))
                for j, figures in similar.get(i, []):
                    part = left * int(figures["score"] * 10**6)
                    points[j] += part
                    reasons[j] = max(reasons.get(j, (-1, 0)), (part, -i))
            backed = self._backed_off(key, regions, recent, popular)
            if with_neighbours:
                backed = [item for item in backed if item not in points]
            else:
                points.clear()
            near = sorted(points, key=lambda j: (-points[j], j))
            found[key] = [
                (j, decimal(points[j], 10**12), -reasons[j][1]) for j in near if is_open(j)
            ] + [(j, None, None) for j in backed if is_open(j)]
            found[key] = found[key][:20]
        return found

    def _backed_off(self, key: str, regions: set, recent: list, popular: dict) -> list[int]:
        best: dict[int, tuple[bool, int]] = {}
        own = {self.products[i].category for i, _ in recent}
        for sido in regions:
            for category in own | {ANY}:
                band = self.members[key].band
                band = band if (sido, category, band) in popular else ANY
                for item, people in popular.get((sido, category, band), [])[:40]:
                    mine, most = best.get(item, (False, 0))
                    best[item] = (mine or category != ANY, max(most, people))
        return sorted(best, key=lambda item: (not best[item][0], -best[item][1], item))

    def judged(self, lists: dict) -> tuple[int, int, Decimal]:
        """Members asked, hits in the first ten, and mean reciprocal rank."""
        hits, ranks = 0, Decimal(0)
        for key, (item, _) in self.holdouts.items():
            offers = [each[0] for each in lists[key]]
            if item in offers:
                rank = offers.index(item) + 1
                hits += rank <= 10
                ranks += decimal(1, rank)
        return len(self.holdouts), hits, decimal(ranks, len(self.holdouts))


def agreed(at: Any, left: Any) -> bool:
    return at is not None and (left is None or at > left)


def millionths(value: float) -> int:
    return math.floor(value * 1000000 + 0.5)


def decimal(numerator: Any, denominator: Any) -> Decimal:
    """A ratio as `ratio` makes it: cut at the seventh decimal, and that rounded."""
    cut = int(Decimal(numerator) * 10**7 // Decimal(denominator))
    return (Decimal(cut) / 10**7).quantize(Decimal("0.000001"), ROUND_HALF_UP)


# -- the models, over base tables of one's own ---------------------------------------------------


class World:
    """The models of the recommendations as the company's build compiled them, in a file of their
    own; `replaced` models are taken from the SQL that is given instead."""

    def __init__(self, folder: Path, analysed: Goodoc):
        folder.mkdir(parents=True)
        self.compiled = analysed.home / "dbt" / "compiled" / "goodoc"
        # the compiled models name the database by its file
        self.connection = duckdb.connect(str(folder / "warehouse.duckdb"))
        self.connection.execute(
            f"attach '{analysed.home / 'warehouse.duckdb'}' as analysed (read_only)"
        )
        for schema in (*BASE, "marketing"):
            self.connection.execute(f"create schema {schema}")

    def base(self, rows: dict[str, list[dict[str, Any]]] | None = None) -> None:
        """Base tables: the company's, or `rows` by table name."""
        for schema, names in BASE.items():
            for name in names:
                limit = "" if rows is None else " limit 0"
                self.connection.execute(
                    f"create table {schema}.{name} as from analysed.{schema}.{name}{limit}"
                )
                if found := (rows or {}).get(name):
                    table = pa.Table.from_pylist(found)
                    self.connection.register("rows_of_it", table)
                    self.connection.execute(f"insert into {schema}.{name} by name from rows_of_it")

    def make(self, **replaced: str) -> "World":
        for start, names in MADE.items():
            for name in names:
                schema = "marketing" if start.startswith("marts") else "intermediate"
                file = self.compiled / "models" / f"{start}{name}.sql"
                sql = replaced.get(name) or file.read_text()
                kind = "view" if schema == "intermediate" else "table"
                self.connection.execute(f"create {kind} {schema}.{file.stem} as {sql}")
        return self

    def query(self, sql: str) -> list[tuple]:
        return self.connection.execute(sql).fetchall()

    def broken(self, assertion: str) -> list[tuple]:
        """Rows that a data test finds bad."""
        return self.query((self.compiled / "tests" / "data" / f"{assertion}.sql").read_text())


FIGURES = (
    "people", "similar_people", "people_of_both", "all_people", "lift", "npmi", "jaccard",
    "cosine", "score",
)  # fmt: skip


def second_opinion(query: Callable[[str], list[tuple]]) -> dict[str, dict]:
    """The three marts as plain Python makes them of the base tables."""
    opinion = Opinion(query)
    similar = opinion.similarities(opinion.known(False))
    held_out = opinion.similarities(opinion.known(True))
    return {
        "similarity": {
            (i, j): (rank, *(figures[name] for name in FIGURES))
            for i, near in similar.items()
            for rank, (j, figures) in enumerate(near, 1)
        },
        "recommendations": {
            key: offers for key, offers in opinion.lists(False, similar).items() if offers
        },
        "evaluation": {
            (model, scope): opinion.judged(
                opinion.lists(True, held_out, scope == "any", model == "item_item")
            )
            for model in ("item_item", "popularity")
            for scope in ("own", "any")
        },
    }


def differences(
    query: Callable[[str], list[tuple]], mine: dict[str, dict] | None = None
) -> dict[str, Any]:
    """Where the marts and the second opinion differ."""
    theirs: dict[str, dict] = {}
    theirs["similarity"] = {
        tuple(row[:2]): tuple(row[2:])
        for row in query(
            "select event_product_id, similar_event_product_id, similarity_rank,"
            f" {', '.join(FIGURES)} from marketing.fct_item_similarity"
        )
    }
    served: dict[str, list] = defaultdict(list)
    for key, _, *rest in query(
        "select member_key, recommendation_rank, event_product_id, score, reason_event_product_id"
        " from marketing.fct_recommendations order by 1, 2"
    ):
        served[key].append(tuple(rest))
    theirs["recommendations"] = dict(served)
    theirs["evaluation"] = {
        tuple(row[:2]): tuple(row[2:])
        for row in query(
            "select model_name, region_scope, member_count, hit_count, mean_reciprocal_rank"
            " from marketing.fct_recommendation_evaluation"
        )
    }
    mine = mine or second_opinion(query)
    found = {name: unequal(mine[name], theirs[name]) for name in theirs}
    return {name: wrong for name, wrong in found.items() if wrong}


def unequal(mine: dict, theirs: dict) -> dict:
    keys = [key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key)]
    return {key: (mine.get(key), theirs.get(key)) for key in keys[:5]}


TODAY = date(2026, 6, 30)


def made_up(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Some 500 people with two tastes, and every kind of person and offer that is left out."""
    draw = random.Random(seed)
    offers = range(1, 15)
    people = range(500)
    products = [
        {
            "event_product_id": i, "category": f"c{i % 3}", "sido_code": f"{1 + i % 2}10000",
            "is_sensitive": i in (7, 8), "starts_date": TODAY if i == 9 else None,
            "ends_date": TODAY - timedelta(days=1 + i) if i in (3, 4) else None,
        }
        for i in offers
    ]  # fmt: skip
    members = [
        {
            "member_key": f"m{p}", "is_deleted": p == 5,
            "birth_year": draw.choice([1985, 1994, 2006, 2007, None]),
            "sggu_code": draw.choice(["11", "21", None]),
            "guardian_member_key": "m1" if p % 17 == 16 else None,
            "account_deleted_at": "2026-01-01" if p % 19 == 18 else None,
            "marketing_consent_at": draw.choice(["2026-02-01", "2026-02-01", "2026-02-01", None]),
            "health_consent_at": draw.choice(["2026-02-01", None]),
            "withdrawn_at": draw.choice([None] * 5 + ["2026-01-15", "2026-03-01"]),
        }
        for p in people
    ]  # fmt: skip
    days: dict[tuple, dict] = {}
    for p in people:
        for _ in range(draw.randint(1, 12)):
            taste = [i for i in offers if i % 2 == p % 2]
            item = draw.choice(taste if draw.random() < 0.8 else list(offers))
            day = TODAY - timedelta(days=draw.choice([draw.randint(0, 89), draw.randint(0, 130)]))
            applied = draw.random() < 0.3
            days[day, p, item] = {
                "interest_date": day, "member_key": f"m{p}", "event_product_id": item,
                "view_count": draw.randint(0 if applied else 1, 4),
                "application_count": int(applied), "booking_count": int(applied and p % 3 == 0),
                "visit_count": int(applied and p % 6 == 0),
            }  # fmt: skip
    days[TODAY, 0, 1] = {
        "interest_date": TODAY, "member_key": "m0", "event_product_id": 1, "view_count": 1,
        "application_count": 0, "booking_count": 0, "visit_count": 0,
    }  # fmt: skip
    return {
        "int_marketing__item_interest_days": list(days.values()),
        "int_core__member_merges_followed": [
            {"from_member_key": f"m{p}", "surviving_member_key": f"m{p + 2}"} for p in (10, 30, 50)
        ],
        "stg_app_db__members": members,
        "dim_regions": [
            {"sggu_code": f"{n}1", "sido_code": f"{n}10000", "is_newest": True} for n in (1, 2)
        ],
        "dim_event_products": products,
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_made_up_world_gets_what_plain_python_says(
    tmp_path: Path, analysed: Goodoc, seed: int
) -> None:
    world = World(tmp_path / "world", analysed)
    world.base(made_up(seed))
    world.make()
    assert differences(world.query) == {}
    ((pairs, near),) = world.query(
        "select (select count(*) from marketing.fct_item_similarity),"
        " (select count(*) from marketing.fct_recommendations where not is_back_off)"
    )
    assert pairs and near, "nothing was alike"
    assert not world.broken("assert_recommendations_have_nothing_sensitive")


def test_a_company_gets_what_plain_python_says(analysed: Goodoc) -> None:
    assert differences(analysed.query) == {}


def test_the_second_opinion_sees_a_difference(tmp_path: Path, analysed: Goodoc) -> None:
    """Each rule that is broken shows."""
    views = analysed.home / "dbt" / "compiled" / "goodoc" / "models" / "intermediate" / "marketing"
    sound = World(tmp_path / "sound", analysed)
    sound.base(made_up(1))
    mine = second_opinion(sound.query)
    for number, (name, before, after) in enumerate(BROKEN):
        sql = (views / f"int_marketing__{name}.sql").read_text()
        assert before in sql, (name, before)
        world = World(tmp_path / f"world{number}", analysed)
        world.base(made_up(1))
        world.make(**{name: sql.replace(before, after)})
        assert differences(world.query, mine), (name, before)


BROKEN = [
    ("recommendation_members", "members.guardian_member_key is null", "true"),
    ("recommendation_members", "members.account_deleted_at is null", "true"),
    ("recommendation_members", "members.marketing_consent_at > members.withdrawn_at", "true"),
    ("recommendation_members", "member_merges.from_member_key is null", "true"),
    ("recommendation_members", ">= rules.adult_years", ">= 19"),
    ("recommendation_members", "members.health_consent_at is not null", "true"),
    ("item_interests", "where not is_sensitive", ""),
    ("item_interests", "coalesce(member_merges.surviving_member_key, ", "coalesce("),
    ("item_training", "interests.interest_date < holdouts.held_out_date", "true"),
    ("item_training", "interests.event_product_id <> holdouts.event_product_id", "true"),
    ("item_similarities", "pairs.people_of_both >= rules.least_people_of_a_pair", "true"),
    ("item_similarities", "pairs.people_of_both + rules.shrinkage", "pairs.people_of_both"),
    ("item_popularity", "cell_people.cell_people >= rules.least_people_of_a_pair", "true"),
    ("recommendation_recent_items", "ln(2)", "ln(3)"),
    ("recommendation_lists", "where applied.member_key is null", ""),
    ("recommendation_lists", "coalesce(products.ends_date, asked.as_of_date) >= asked.as_of_date",
     "true"),
    ("recommendation_lists", "regions.sido_code in (open_candidates.offer_sido_code, '(all)')",
     "true"),
    ("recommendation_holdouts", "applications.recency = 1", "applications.recency = 2"),
]  # fmt: skip


def test_who_looks_at_everything_counts_for_nothing(tmp_path: Path, analysed: Goodoc) -> None:
    rows = made_up(2)
    rows["dim_event_products"] += [
        {"event_product_id": i, "category": "c1", "sido_code": "110000", "is_sensitive": False}
        for i in range(100, 210)
    ]
    crawler = {
        "interest_date": TODAY, "view_count": 1, "application_count": 0, "booking_count": 0,
        "visit_count": 0,
    }  # fmt: skip
    robots = [
        member["member_key"]
        for member in rows["stg_app_db__members"]
        if member["birth_year"] == 1985 and member["marketing_consent_at"]
    ]
    rows["int_marketing__item_interest_days"] += [
        crawler | {"member_key": key, "event_product_id": i}
        for key in robots
        for i in range(100, 201)
    ]
    assert len(robots) >= 20
    world = World(tmp_path / "world", analysed)
    world.base(rows)
    world.make()
    assert differences(world.query) == {}
    assert not world.query("from marketing.fct_item_similarity where event_product_id >= 100")


# -- is it worth it ------------------------------------------------------------------------------


def figures(query: Callable[[str], list[tuple]]) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (model, scope): (float(hits), float(ranks))
        for model, scope, hits, ranks in query(
            "select model_name, region_scope, hit_rate, mean_reciprocal_rank"
            " from marketing.fct_recommendation_evaluation where has_enough_members"
        )
    }


def test_item_item_finds_planted_tastes_and_popularity_does_not(analysed: Goodoc) -> None:
    found = figures(analysed.query)
    print(found)
    assert len(found) == 4, "too few members were asked"
    (hits, ranks), (fewer, later) = found["item_item", "any"], found["popularity", "any"]
    assert hits > 1.2 * fewer and ranks > 1.5 * later
    (hits, ranks), (fewer, later) = found["item_item", "own"], found["popularity", "own"]
    assert hits >= fewer and ranks > 1.5 * later


def test_a_wrong_model_loses_and_fails_the_build(tmp_path: Path, analysed: Goodoc) -> None:
    """The same scores, given to offers that are not alike, those first that fewest look at."""
    file = "models/intermediate/marketing/int_marketing__item_similarities.sql"
    right = (analysed.home / "dbt" / "compiled" / "goodoc" / file).read_text()
    wrong = re.sub(r"\bselect \* from final\s*$", """
        , others as (
            select sets.training_set, sets.event_product_id, products.event_product_id as other_id,
                row_number() over (
                    partition by sets.training_set, sets.event_product_id
                    order by (
                        select count(*) from intermediate.int_marketing__item_interests as i
                        where i.event_product_id = products.event_product_id
                    ), products.event_product_id
                ) as place
            from (select distinct training_set, event_product_id from final) as sets
            cross join core.dim_event_products as products
            anti join final
                on final.training_set = sets.training_set
                and final.event_product_id = sets.event_product_id
                and final.similar_event_product_id = products.event_product_id
            where products.event_product_id <> sets.event_product_id and not products.is_sensitive
        )
        select final.* replace (others.other_id as similar_event_product_id)
        from final
        inner join others
            on final.training_set = others.training_set
            and final.event_product_id = others.event_product_id
            and final.similarity_rank = others.place
    """, right)  # fmt: skip
    assert wrong != right
    sound, mutated = World(tmp_path / "sound", analysed), World(tmp_path / "mutated", analysed)
    sound.base()
    assert not sound.make().broken("assert_recommendations_beat_popularity")
    mutated.base()
    mutated.make(item_similarities=wrong)
    found = figures(mutated.query)
    print(found)
    # among the few offers of one's own regions chance does as well as what is popular
    assert found["item_item", "any"] < found["popularity", "any"]
    assert mutated.broken("assert_recommendations_beat_popularity")


def test_nothing_of_who_is_asked_leaks_into_what_is_known(analysed: Goodoc) -> None:
    """No set that was held out knows the offer, or anything from its day on."""
    assert not analysed.query(
        "select 1 from intermediate.int_marketing__item_training as t"
        " inner join intermediate.int_marketing__recommendation_holdouts as h"
        " on h.member_key = t.member_key where t.training_set = 'held_out'"
        " and (t.event_product_id = h.event_product_id or t.last_date >= h.held_out_date)"
    )

"""What is published about health tells of no few people, not even to who reckons with all of it.

The models' own SQL runs over a built company and over made-up populations with many small clinics.
Then an attacker reckons with all that is told: totals less their parts, across areas and measures.
With a rule switched off the attacker must find something: an attack that never succeeds proves
nothing.
"""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import yaml

from conftest import PROJECT, Goodoc

CELLS, MART = "int_prescription__quality_cells", "fct_prescription_quality_monthly"
SMALLEST = {"inside": 5, "outside": 11}
SIDOS = ["110000", "210000", "310000", "360000", "390000"]
SEEDS = range(8)


@dataclass(frozen=True)
class Measured:
    """What one prescription is to one measure."""

    hospital: int
    person: str
    measure: str
    numerator: float
    denominator: float


@dataclass(frozen=True)
class Cell:
    """A published row; None is what isn't told."""

    measure: str
    level: str
    code: str
    numerator: float | None
    denominator: float | None


@dataclass
class Month:
    """All that was measured in a month, and the province of each hospital."""

    rows: list[Measured]
    sidos: dict[int, str]
    areas: dict[tuple[str, str], frozenset[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.areas = {("nation", "all"): frozenset(self.sidos)}
        for hospital, sido in self.sidos.items():
            self.areas["hospital", str(hospital)] = frozenset([hospital])
            there = self.areas.get(("sido", sido), frozenset())
            self.areas["sido", sido] = there | {hospital}


def made_up(seed: int) -> Month:
    """Many clinics of few people and some big ones; habits from never to always."""
    chance = random.Random(seed)
    # two provinces of many clinics, and some of one or none
    sidos = dict(enumerate(chance.choices(SIDOS, [9, 9, 1, 1, 1], k=30)))
    rows = []
    for hospital in sidos:
        injects = chance.choice([0, 0, 0.03, 0.1, 0.5, 0.9, 0.97, 1])
        people = [
            # some come to several clinics
            f"p{chance.randrange(100)}" if chance.random() < 0.1 else f"{hospital}-{n}"
            for n in range(chance.choice([1, 3, 6, 9, 14, 20, 30, 40, 50]))
        ]
        # and some twice to one
        for person in [*people, *chance.sample(people, len(people) // 4)]:
            has = {
                "injection_rate": chance.random() < injects,
                "dispensed_rate": chance.random() < 0.85,
                "items_per_prescription": chance.randrange(1, 7),
            }
            if chance.random() < 0.3:
                has["uri_rate"] = chance.random() < injects / 2 + 0.3
            rows += [Measured(hospital, person, name, float(n), 1.0) for name, n in has.items()]
    return Month(rows, sidos)


@pytest.fixture(scope="module")
def statements(analysed: Goodoc) -> dict[str, str]:
    """The models as dbt compiled them for a full build."""
    folder = analysed.home / "dbt" / "compiled" / "goodoc" / "models"
    return {
        name: next(folder.rglob(f"{name}.sql")).read_text().replace('"warehouse".', "")
        for name in (CELLS, MART)
    }


def told(
    month: Month, statements: dict[str, str], audience: str, mart: str | None = None
) -> list[Cell]:
    """What the models tell an audience; `mart` is SQL to put in place of the mart's."""
    with duckdb.connect(":memory:") as connection:
        measures = pa.table(
            {
                "hospital_id": [row.hospital for row in month.rows],
                "person_key": [row.person for row in month.rows],
                "measure": [row.measure for row in month.rows],
                "numerator": [row.numerator for row in month.rows],
                "denominator": [row.denominator for row in month.rows],
            }
        )
        hospitals = pa.table(
            {"hospital_id": list(month.sidos), "sido_code": list(month.sidos.values())}
        )
        connection.register("measures", measures)
        connection.register("hospitals", hospitals)
        for statement in (
            "create schema intermediate",
            "create schema core",
            "create table core.dim_hospitals as select *, date '2020-01-01' as valid_from,"
            " cast(null as date) as valid_to from hospitals",
            "create table intermediate.int_prescription__quality_measures as select *"
            " replace (numerator::decimal(28, 6) as numerator, denominator::decimal(28, 6)"
            " as denominator), date '2026-06-01' as month_start_date, 1 as load_id from measures",
            f"create table intermediate.{CELLS} as {statements[CELLS]}",
        ):
            connection.execute(statement)
        return cells_of(
            connection.execute(
                "select measure, area_level, area_code, numerator, denominator"
                f" from ({mart or statements[MART]}) where audience = '{audience}'"
            ).fetchall()
        )


def cells_of(rows: Iterable[tuple]) -> list[Cell]:
    return [
        Cell(*names, *(None if value is None else float(value) for value in values))
        for *names, values in ((m, level, code, (n, d)) for m, level, code, n, d in rows)
    ]


def attack(month: Month, cells: list[Cell], fewest: int) -> list[str]:
    """What an attacker learns of fewer than `fewest` people: each line a success.

    A sum over hospitals can be had where it is a combination of sums that are told; in a tree of
    areas these come down to each told area less the told areas in it.
    """
    found = []
    for name, quantity in quantities(month, cells).items():
        for area in quantity.derivable(month.sidos):
            groups = [quantity.people(month, area)] if name[0] == "denominator" else []
            if name[0] == "numerator" and name[1].endswith("_rate"):
                groups = quantity.with_and_without(month, name[1], area)
            found += [
                f"{name}: {len(group)} people of {sorted(area)}"
                for group in groups
                if 1 <= len(group) < fewest
            ]
    return found


@dataclass
class Quantity:
    """Something that is counted by hospital, and the areas for which its sum is told."""

    of: dict[int, float]
    measure: str
    areas: set[frozenset[int]] = field(default_factory=set)

    def derivable(self, hospitals: Iterable[int]) -> set[frozenset[int]]:
        """Told areas, what is left of each, and single hospitals that linear algebra pins down."""
        rest = {
            area - frozenset().union(*(inner for inner in self.areas if inner < area))
            for area in self.areas
        }
        order = sorted(hospitals)
        matrix = np.array([[hospital in area for hospital in order] for area in self.areas], float)
        pinned = set()
        if self.areas:
            onto = np.linalg.pinv(matrix) @ matrix
            pinned = {frozenset([order[n]]) for n in np.flatnonzero(np.diag(onto) > 0.999)}
        return (self.areas | rest | pinned) - {frozenset()}

    def people(self, month: Month, area: frozenset[int]) -> set[str]:
        return {
            row.person
            for row in month.rows
            if row.measure == self.measure and row.hospital in area and row.denominator
        }

    def with_and_without(self, month: Month, measure: str, area: frozenset[int]) -> list[set[str]]:
        rows = [row for row in month.rows if row.measure == measure and row.hospital in area]
        return [
            {row.person for row in rows if row.numerator},
            {row.person for row in rows if row.numerator < row.denominator},
        ]


def quantities(month: Month, cells: list[Cell]) -> dict[tuple[str, str], Quantity]:
    """What is told, by what is counted: measures that have a denominator in common tell one."""
    sums: dict[tuple[str, str], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in month.rows:
        sums["numerator", row.measure][row.hospital] += row.numerator
        sums["denominator", row.measure][row.hospital] += row.denominator
    found: dict[tuple[str, str], Quantity] = {}
    for cell in cells:
        area = month.areas[cell.level, cell.code]
        for part, value in (("numerator", cell.numerator), ("denominator", cell.denominator)):
            if value is None:
                continue
            counted = sums[part, cell.measure]
            assert abs(sum(counted[h] for h in area) - value) < 1e-6, cell
            name = next(
                (
                    known
                    for known, quantity in found.items()
                    if known[0] == part == "denominator" and quantity.of == counted
                ),
                (part, cell.measure),
            )
            found.setdefault(name, Quantity(counted, cell.measure)).areas.add(area)
    return found


@pytest.mark.parametrize("audience", SMALLEST)
def test_reckoning_finds_nothing_in_made_up_months(
    statements: dict[str, str], audience: str
) -> None:
    shown = hidden = 0
    for seed in SEEDS:
        month = made_up(seed)
        cells = told(month, statements, audience)
        assert attack(month, cells, SMALLEST[audience]) == [], seed
        shown += sum(cell.numerator is not None for cell in cells)
        hidden += sum(cell.numerator is None for cell in cells)
    # much has to be hidden here, and much may be told
    assert shown > 200 and hidden > 200


# What each rule is in the mart's SQL, and what stands there when it is switched off.
RULES = {
    "the smallest cell": [("5 as smallest_cell", "1 as smallest_cell")],
    "shares of few people": [("has_few", "has_none")],
    "a partner": [("safe_no = 1", "safe_no = 0")],
    "a partner that is safe": [("(1 - hides_denominator) * is_mixed", "1 - hides_denominator")],
    "a partner that isn't safe is none": [(" * (1 - is_few) * is_mixed", "")],
    "all, where none is safe": [("family_has_safe = 0", "family_has_safe = 2")],
    "what lies below": [("then is_{}_hidden else 0", "then 0 else 0")],
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(statements: dict[str, str], rule: str) -> None:
    sql = statements[MART]
    for old, new in RULES[rule]:
        for part in ("denominator", "numerator") if "{}" in old else ("",):
            assert old.format(part) in sql
            sql = sql.replace(old.format(part), new)
    if rule == "shares of few people":
        sql = sql.replace("end as has_none", "end * 0 as has_none")
    assert any(
        attack(month, told(month, statements, "inside", sql), SMALLEST["inside"])
        for month in map(made_up, SEEDS)
    )


@pytest.mark.parametrize("audience", SMALLEST)
def test_reckoning_finds_nothing_in_a_built_company(analysed: Goodoc, audience: str) -> None:
    measures = analysed.query(
        "select month_start_date, hospital_id, person_key, measure, numerator, denominator"
        " from intermediate.int_prescription__quality_measures"
    )
    sidos = defaultdict(dict)
    for month, hospital, sido in analysed.query(
        f"select distinct month_start_date, hospital_id, sido_code from intermediate.{CELLS}"
        " where area_level = 'hospital'"
    ):
        sidos[month][hospital] = sido
    assert len(sidos) > 1
    for month, of_month in sidos.items():
        rows = [
            Measured(hospital, person, measure, float(numerator), float(denominator))
            for when, hospital, person, measure, numerator, denominator in measures
            if when == month
        ]
        cells = cells_of(
            analysed.query(
                "select measure, area_level, area_code, numerator, denominator"
                f" from prescription.{MART} where audience = '{audience}'"
                f" and month_start_date = '{month}'"
            )
        )
        assert len({cell.measure for cell in cells}) > 5
        assert attack(Month(rows, of_month), cells, SMALLEST[audience]) == []


def test_care_pathways_tell_of_no_few_people(analysed: Goodoc) -> None:
    """Recounted from the visits: who made a way, who has what it counts, and who hasn't."""
    ways = analysed.query(
        "select month_start_date, department_code, kcd_chapter, prescription_status,"
        " injection_status, payment_status, revisit_status, people, visits, prescription_visits,"
        " injection_visits from booking_flow.fct_care_pathways_monthly"
    )
    assert len(ways) > 50 and min(way[7] for way in ways) >= SMALLEST["inside"]
    assert any(way[9] is None or way[10] is None for way in ways)
    for *_, visits, prescribed, injected in ways:
        for count in (prescribed, injected):
            # people are no more than visits
            assert (
                count is None
                or count in (0, visits)
                or (min(count, visits - count) >= SMALLEST["inside"])
            )


def test_whatever_tells_of_health_has_a_smallest_cell_and_months_only() -> None:
    """Days and weeks beside each other would tell each other's difference."""
    open_to_all = []
    for file in sorted((PROJECT / "models" / "marts").glob("*/*.yml")):
        for model in yaml.safe_load(file.read_text()).get("models", []):
            meta = model["config"]["meta"]
            if "smallest_cell" in meta:
                open_to_all.append(model["name"])
                days = [name for name in meta["grain"] if name.endswith("_date")]
                assert days == ["month_start_date"], model["name"]
    assert MART in open_to_all and "fct_care_pathways_monthly" in open_to_all

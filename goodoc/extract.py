"""Hands people's rows of a restricted mart to somebody with clearance and a reason, on record.

Nobody in an extract can be told from fewer than k - 1 others by birth decade, sex and place, nor be
found again in another extract: pseudonyms become numbers that are drawn anew each time.
"""

import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from dbt.contracts.graph.nodes import ModelNode

from goodoc.build import parse, red_marts
from goodoc.export import in_plain_types, open_rows
from goodoc.load import record_access
from goodoc.privacy import is_restricted, is_to_the_hour, privacy, published_columns, smallest_cells
from goodoc.settings import Settings

_LEAST_REASON = 12
# by the number of a row or of a doctor two extracts could be joined
_NUMBER = re.compile(r"(?<!^hospital)_id$|_key$|^issue_no$")
_PLACE = ("birth_year_band", "sex", "sggu_code", "sido_code")


class ExtractError(Exception):
    """Nothing was extracted; one line that says why."""


@dataclass(frozen=True)
class ExtractReport:
    """A finished extract: of `total` rows `rows` are in it, `generalised` of them without the
    district or more."""

    mart: str
    place: str
    smallest_group: int
    total: int
    rows: int
    generalised: int


def extract(
    settings: Settings,
    mart_name: str,
    to: Path,
    reason: str,
    audience: str = "inside",
    progress: Callable[[int, int], None] | None = None,
) -> ExtractReport:
    """Writes the rows of a restricted mart to a Parquet file, readable by its owner alone.

    `audience` says how many people share each group: inside the company or outside. Raises
    ExtractError without a reason, for a mart that isn't restricted or tells of no people, one that
    isn't built or is red, and where the file can't be written.
    """
    if len(reason.strip()) < _LEAST_REASON:
        raise ExtractError("say --reason in a few words: it goes on record")
    mart = _restricted(settings, mart_name)
    fewest = smallest_cells()[audience]
    part = to.with_name(f".{to.name}-{uuid.uuid4().hex[:8]}")
    with settings.open_warehouse(read_only=True) as warehouse:
        if (mart.schema, mart.name) not in warehouse.relations():
            raise ExtractError(f"{mart.schema}.{mart.name} isn't there: run `goodoc build` first")
        draw = "rand()" if hasattr(warehouse, "client") else "random()"
        query = _query(mart, fewest, draw)
        ((total,),) = warehouse.query(f"select count(*) from {mart.schema}.{mart.name}")
        rows = generalised = 0
        try:
            with open_rows(warehouse, query) as reader:
                plain = in_plain_types(reader, int(total), progress or (lambda done, of: None))
                part.touch(mode=0o600)
                with pq.ParquetWriter(part, plain.schema) as file:
                    for batch in plain:
                        file.write_batch(batch)
                        rows += batch.num_rows
                        generalised += batch["sggu_code"].null_count
        except OSError as error:
            raise ExtractError(f"can't write to {to}: {error.strerror}") from None
    try:
        record_access(
            settings,
            f"goodoc extract {mart.name}",
            f"{reason.strip()}: {rows} of {total} rows, groups of {fewest} people or more, to {to}",
            "written",
        )
        os.replace(part, to)
    finally:
        part.unlink(missing_ok=True)
    return ExtractReport(mart.name, str(to), fewest, int(total), rows, generalised)


def _restricted(settings: Settings, name: str) -> ModelNode:
    marts = {
        node.name: node
        for node in parse(settings).nodes.values()
        if node.resource_type == "model" and "marts" in node.fqn
    }
    if name not in marts:
        raise ExtractError(f"there is no mart {name!r}")
    mart = marts[name]
    if not is_restricted(mart):
        raise ExtractError(f"{name} isn't restricted: read the published copy")
    if _person(mart) is None:
        raise ExtractError(f"{name} tells of no people: read it in the restricted copy")
    if why := red_marts(settings).get(name):
        raise ExtractError(f"nothing extracted, the last build failed: {why}")
    return mart


def _person(mart: ModelNode) -> str | None:
    """The column that tells people of a mart apart."""
    names = ("person_key", "surviving_member_key", "member_key")
    return next((name for name in names if name in mart.columns), None)


def _query(mart: ModelNode, fewest: int, draw: str) -> str:
    """SQL of the rows with their people's groups, as fine as k people allow."""
    columns = [
        column
        for column in published_columns(mart)
        if privacy(column) != "pseudonym"
        and column.name not in (*_PLACE, "birth_year")
        and not _NUMBER.search(column.name)
    ]
    hour = "timestamp_trunc(m.{0}, hour)" if draw == "rand()" else "date_trunc('hour', m.{0})"
    selected = ", ".join(
        f"{hour.format(column.name)} as {column.name}"
        if is_to_the_hour(column)
        else f"m.{column.name}"
        for column in columns
    )
    person = _person(mart)
    return f"""
        with people as (
            select m.{person} as token, max(p.birth_year_band) as birth_year_band,
                max(p.sex) as sex, max(p.sggu_code) as sggu_code, max(p.sido_code) as sido_code
            from {mart.schema}.{mart.name} as m
            left join core.dim_members as p on p.member_key = m.{person}
            left join raw_ledger.erased_people as e on e.token = m.{person}
            where m.{person} is not null and e.token is null
            group by m.{person}
        ),
        by_district as (
            select *, count(*) over (partition by birth_year_band, sex, sggu_code) as in_district
            from people
        ),
        by_province as (
            select *, count(*) over (
                partition by birth_year_band, sex, sido_code,
                    case when in_district >= {fewest} then 0 else 1 end
            ) as in_province
            from by_district
        ),
        levels as (
            select *, case when in_district >= {fewest} then 0 when in_province >= {fewest} then 1
                else 2 end as level, {draw} as drawn
            from by_province
        ),
        numbered as (
            select *, count(*) over (partition by level) as of_level,
                row_number() over (order by drawn) as person_no
            from levels
        )
        select n.person_no,
            case when n.level < 2 then n.birth_year_band end as birth_year_band,
            case when n.level < 2 then n.sex end as sex,
            case when n.level < 1 then n.sggu_code end as sggu_code,
            case when n.level < 2 then n.sido_code end as sido_code,
            {selected}
        from {mart.schema}.{mart.name} as m
        inner join numbered as n on n.token = m.{person}
        where n.level < 2 or n.of_level >= {fewest}
    """

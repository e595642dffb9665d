"""Who may read which column of which mart: one rule over the privacy classes in the models' YAML.

Each engine enforces what is decided here in its own way: Postgres grants columns to roles, BigQuery
lets groups into datasets and tags columns, DuckDB keeps separate files with other modes.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:  # dbt takes seconds that most commands needn't pay
    from dbt.contracts.graph.nodes import ColumnInfo, ModelNode

# The classes, from what tells nothing of anybody to what no model may hold.
CLASSES = ("none", "quasi", "sensitive", "pseudonym", "free_text")
# The published schema, dataset or file of marts that only people with clearance read.
RESTRICTED = "restricted"
_PROJECT = Path(__file__).resolve().parents[1]


def privacy(column: "ColumnInfo") -> str:
    """The privacy class of a mart's column."""
    return column.meta["privacy"]


def is_restricted(mart: "ModelNode") -> bool:
    """Whether only people with clearance read the mart.

    So it is where a row is a person (a pseudonym is in the grain), or tells of somebody's health (a
    sensitive column), unless the mart says that it tells of no fewer people than `smallest_cell`.
    """
    classes = {column.name: privacy(column) for column in mart.columns.values()}
    if any(classes[name] == "pseudonym" for name in mart.meta["grain"]):
        return True
    return "sensitive" in classes.values() and "smallest_cell" not in mart.meta


def published_schema(mart: "ModelNode") -> str:
    """Where readers find the mart: its own name, or that of what is restricted."""
    return RESTRICTED if is_restricted(mart) else mart.schema


def published_columns(mart: "ModelNode") -> "list[ColumnInfo]":
    """The columns that leave the warehouse: who may read every mart can't join them by person."""
    withheld = ("free_text",) if is_restricted(mart) else ("free_text", "pseudonym")
    return [column for column in mart.columns.values() if privacy(column) not in withheld]


def is_to_the_hour(column: "ColumnInfo") -> bool:
    """Whether readers see the instant without minutes: seconds tell one visitor from another."""
    return column.data_type == "timestamp" and privacy(column) == "quasi"


def published_description(column: "ColumnInfo") -> str:
    """What readers are told about a column, on one line."""
    text = " ".join(column.description.split())
    return f"{text} Published to the hour." if is_to_the_hour(column) else text


@cache
def smallest_cells() -> Mapping[str, int]:
    """Fewest people whom a published figure may tell of, by audience: `inside` and `outside`."""
    project = yaml.safe_load((_PROJECT / "dbt_project.yml").read_text())
    return project["vars"]["smallest_cell"]

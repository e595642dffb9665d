"""Datasets, tables and their rows.

A table is never changed, only replaced: so a transaction's rollback is putting the old ones back.
"""

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property

from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeProto

from .errors import BigQueryError, invalid_query, not_found
from .types import NULL_CELL, decode, fit, type_of

LOCATION = "asia-northeast3"
_versions = itertools.count(1)


@dataclass(frozen=True)
class Table:
    """A table or a view at one moment: what the REST API says of it, and its rows as cells."""

    resource: dict
    cells: tuple[list[bytes], ...] = ()  # one list for each column; none for a view
    reads: tuple["TablePath", ...] = ()  # what a view names
    version: int = field(default_factory=lambda: next(_versions))

    @property
    def fields(self) -> list[dict]:
        return self.resource["schema"]["fields"]

    @cached_property
    def columns(self) -> list[tuple[str, TypeProto]]:
        return [(each["name"], type_of(each)) for each in self.fields]

    @property
    def pseudo_columns(self) -> set[str]:
        """Columns that can be named but that `select *` leaves out."""
        return {each["name"] for each in self.fields if each.get("pseudo")}

    @property
    def count(self) -> int:
        return len(self.cells[0]) if self.cells else 0

    @property
    def query(self) -> str | None:
        return self.resource.get("view", {}).get("query")

    @property
    def key(self) -> tuple[str, str]:
        reference = self.resource["tableReference"]
        return reference["datasetId"], reference["tableId"]

    @property
    def partition_column(self) -> str | None:
        """The column by which the table is partitioned, if by one."""
        for kind in ("timePartitioning", "rangePartitioning"):
            if kind in self.resource:
                return self.resource[kind].get("field")
        return None

    def with_cells(self, cells) -> "Table":
        """The same table with other rows, each cell as its column's declared type keeps it."""
        pairs = zip(cells, self.fields, strict=True)
        fitted = tuple(fit(column, each) for column, each in pairs)
        return replace(self, cells=fitted, version=next(_versions))

    def with_resource(self, **changes) -> "Table":
        """The same rows under another description; None takes an entry away."""
        merged = {k: v for k, v in (self.resource | changes).items() if v is not None}
        return replace(self, resource=merged, version=next(_versions))

    def appended(self, cells) -> "Table":
        return self.with_cells([old + new for old, new in zip(self.cells, cells, strict=True)])

    def with_fields(self, fields: list[dict]) -> "Table":
        """The same rows with columns added (as NULL) or described differently."""
        have = dict(zip((f["name"].lower() for f in self.fields), self.cells, strict=False))
        empty = [NULL_CELL] * self.count
        cells = tuple(have.get(f["name"].lower(), empty) for f in fields) if not self.query else ()
        return replace(self.with_resource(schema={"fields": fields}), cells=cells)

    def mismatch(self, what: str) -> BigQueryError:
        """The refusal of other columns than the table has."""
        message = f"Provided Schema does not match Table {self.resource['id']}. {what}"
        return BigQueryError(400, "invalid", message)

    @property
    def size(self) -> int:
        """Bytes that the rows take, roughly as BigQuery counts them."""
        return sum(len(cell) for column in self.cells for cell in column)

    def partition_ids(self) -> list[str]:
        """For each row the partition that holds it, as in 20260131."""
        spec = self.resource.get("timePartitioning")
        if not spec or not spec.get("field"):
            return [""] * self.count
        (index,) = (i for i, (name, _) in enumerate(self.columns) if name == spec["field"])
        width = {"YEAR": "%Y", "MONTH": "%Y%m", "DAY": "%Y%m%d", "HOUR": "%Y%m%d%H"}[spec["type"]]
        values = decode(self.cells[index], self.columns[index][1])
        return ["__NULL__" if value is None else value.strftime(width) for value in values]

    def partitions(self) -> Counter:
        """Number of rows by partition."""
        return Counter(self.partition_ids())

    def rows(self) -> list[tuple]:
        """The rows as Python values."""
        columns = (decode(c, kind) for c, (_, kind) in zip(self.cells, self.columns, strict=True))
        return list(zip(*columns, strict=True))


TablePath = tuple[str, ...]


@dataclass
class Warehouse:
    """All datasets and tables of one project."""

    project: str
    datasets: dict[str, dict] = field(default_factory=dict)
    tables: dict[tuple[str, str], Table] = field(default_factory=dict)

    def snapshot(self) -> tuple[dict, dict]:
        return dict(self.datasets), dict(self.tables)

    def restore(self, snapshot: tuple[dict, dict]):
        self.datasets, self.tables = dict(snapshot[0]), dict(snapshot[1])

    def dataset(self, name: str) -> dict:
        if name not in self.datasets:
            raise not_found("Dataset", f"{self.project}:{name}")
        return self.datasets[name]

    def create_dataset(self, name: str, resource: dict):
        if name in self.datasets:
            raise BigQueryError(409, "duplicate", f"Already Exists: Dataset {self.project}:{name}")
        now = milliseconds()
        self.datasets[name] = {
            "kind": "bigquery#dataset",
            "id": f"{self.project}:{name}",
            "location": LOCATION,
            "access": [],
            "creationTime": now,
            "lastModifiedTime": now,
            **resource,
            "datasetReference": {"projectId": self.project, "datasetId": name},
        }

    def drop_dataset(self, name: str, with_tables: bool):
        self.dataset(name)
        held = [key for key in self.tables if key[0] == name]
        if held and not with_tables:
            message = f"Dataset {self.project}:{name} is still in use"
            raise BigQueryError(400, "resourceInUse", message)
        for key in held:
            del self.tables[key]
        del self.datasets[name]

    def table(self, dataset: str, name: str) -> Table:
        self.dataset(dataset)
        if (dataset, name) not in self.tables:
            raise not_found("Table", f"{self.project}:{dataset}.{name}")
        return self.tables[dataset, name]

    def put(self, table: Table) -> Table:
        self.dataset(table.key[0])
        self.tables[table.key] = table
        return table

    def new_table(self, dataset: str, name: str, fields: list[dict], **resource) -> Table:
        """An empty table (or a view, with `view`) that is not in the warehouse yet."""
        names = [each["name"].lower() for each in fields]
        if doubled := {each for each in names if names.count(each) > 1}:
            raise invalid_query(f"Duplicate column name '{min(doubled)}' in table {name}")
        now = milliseconds()
        described = {
            "kind": "bigquery#table",
            "id": f"{self.project}:{dataset}.{name}",
            "tableReference": {"projectId": self.project, "datasetId": dataset, "tableId": name},
            "type": "VIEW" if "view" in resource else "TABLE",
            "schema": {"fields": fields},
            "creationTime": now,
            "location": LOCATION,
            **{key: value for key, value in resource.items() if value is not None},
        }
        return Table(described, () if "view" in resource else tuple([] for _ in fields))

    def key(self, path: TablePath, default_dataset: str | None) -> tuple[str, str]:
        """Dataset and table of a path as written in SQL."""
        if len(path) == 1 and default_dataset:
            path = (default_dataset, *path)
        if len(path) == 3:
            if path[0] != self.project:
                raise BigQueryError(403, "accessDenied", f"Access Denied: Project {path[0]}")
            path = path[1:]
        if len(path) != 2:
            message = (
                f'Table "{".".join(path)}" must be qualified with a dataset (e.g. dataset.table).'
            )
            raise BigQueryError(400, "invalid", message)
        return path


def milliseconds() -> str:
    return str(int(time.time() * 1000))

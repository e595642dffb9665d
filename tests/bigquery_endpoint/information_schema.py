"""The views by which BigQuery describes itself: INFORMATION_SCHEMA and `__TABLES__`."""

import json

from .storage import Table, Warehouse
from .types import EPOCH, MICROSECOND, encode, field_of, parse_type, sql_type, type_of

STRINGS = "table_catalog table_schema table_name"
VIEWS = {
    "SCHEMATA": {"catalog_name": "STRING", "schema_name": "STRING", "location": "STRING"},
    "TABLES": dict.fromkeys(f"{STRINGS} table_type is_insertable_into".split(), "STRING")
    | {"creation_time": "TIMESTAMP", "ddl": "STRING"},
    "VIEWS": dict.fromkeys(f"{STRINGS} view_definition".split(), "STRING"),
    "MATERIALIZED_VIEWS": dict.fromkeys(STRINGS.split(), "STRING"),
    "TABLE_OPTIONS": dict.fromkeys(
        f"{STRINGS} option_name option_type option_value".split(), "STRING"
    ),
    "COLUMNS": dict.fromkeys(f"{STRINGS} column_name".split(), "STRING")
    | {"ordinal_position": "INT64"}
    | dict.fromkeys(["is_nullable", "data_type", "is_hidden", "is_partitioning_column"], "STRING")
    | {"clustering_ordinal_position": "INT64"},
    "COLUMN_FIELD_PATHS": dict.fromkeys(
        f"{STRINGS} column_name field_path data_type description".split(), "STRING"
    )
    | {"policy_tags": "ARRAY<STRING>"},
    "PARTITIONS": dict.fromkeys(f"{STRINGS} partition_id".split(), "STRING")
    | {"total_rows": "INT64", "last_modified_time": "TIMESTAMP"},
    "TABLE_STORAGE": dict.fromkeys(
        ["project_id", "table_catalog", "table_schema", "table_name", "table_type"], "STRING"
    )
    | {"total_rows": "INT64", "storage_last_modified_time": "TIMESTAMP"},
    "OBJECT_PRIVILEGES": dict.fromkeys(
        [
            "object_catalog",
            "object_schema",
            "object_name",
            "object_type",
            "privilege_type",
            "grantee",
        ],
        "STRING",
    ),
    "__TABLES__": {
        "project_id": "STRING",
        "dataset_id": "STRING",
        "table_id": "STRING",
        "creation_time": "INT64",
        "last_modified_time": "INT64",
        "row_count": "INT64",
        "size_bytes": "INT64",
        "type": "INT64",
    },
}


def virtual_table(warehouse: Warehouse, path: tuple, default_dataset: str | None) -> Table | None:
    """The view that a path names, with its rows as of now; None for other paths."""
    name = path[-1].upper()
    if path[-1] == "__TABLES__":
        scope = path[-2] if len(path) > 1 else default_dataset
    elif len(path) > 1 and path[-2].upper() == "INFORMATION_SCHEMA" and name in VIEWS:
        scope = path[-3] if len(path) > 2 else default_dataset
    else:
        return None
    if scope and scope != warehouse.project and not scope.startswith("region-"):
        warehouse.dataset(scope)
    else:
        scope = None  # the whole project
    rows = list(_rows(warehouse, name, scope))
    fields = [field_of(column, parse_type(kind)) for column, kind in VIEWS[name].items()]
    columns = [[row.get(each["name"]) for row in rows] for each in fields]
    cells = tuple(encode(c, type_of(each)) for c, each in zip(columns, fields, strict=True))
    reference = {"datasetId": "INFORMATION_SCHEMA", "tableId": name}
    return Table({"tableReference": reference, "schema": {"fields": fields}}, cells)


def _rows(warehouse: Warehouse, name: str, scope: str | None):
    if name == "SCHEMATA":
        for dataset, resource in warehouse.datasets.items():
            yield {
                "catalog_name": warehouse.project,
                "schema_name": dataset,
                "location": resource["location"],
            }
        return
    for (dataset, table_name), table in sorted(warehouse.tables.items()):
        if scope is not None and dataset != scope:
            continue
        base = {
            "project_id": warehouse.project,
            "table_catalog": warehouse.project,
            "table_schema": dataset,
            "table_name": table_name,
            "table_type": "VIEW" if table.query else "BASE TABLE",
        }
        yield from _of_table(name, table, base)


def _of_table(name: str, table: Table, base: dict):
    resource = table.resource
    changed = _instant(resource.get("lastModifiedTime", resource["creationTime"]))
    if name == "TABLES":
        insertable = "NO" if table.query else "YES"
        created = _instant(resource["creationTime"])
        yield base | {"is_insertable_into": insertable, "creation_time": created}
    elif name == "VIEWS" and table.query:
        yield base | {"view_definition": table.query}
    elif name == "TABLE_OPTIONS":
        if resource.get("description"):
            text = json.dumps(resource["description"], ensure_ascii=False)
            yield base | _option("description", "STRING", text)
        if resource.get("labels"):
            pairs = ", ".join(f'STRUCT("{k}", "{v}")' for k, v in resource["labels"].items())
            yield base | _option("labels", "ARRAY<STRUCT<STRING, STRING>>", f"[{pairs}]")
        if resource.get("requirePartitionFilter"):
            yield base | _option("require_partition_filter", "BOOL", "true")
    elif name == "COLUMNS":
        clusters = resource.get("clustering", {}).get("fields", [])
        for position, each in enumerate(table.fields, 1):
            column = each["name"]
            yield base | {
                "column_name": column,
                "ordinal_position": position,
                "is_nullable": "NO" if each.get("mode") == "REQUIRED" else "YES",
                "data_type": _declared(each),
                "is_hidden": "NO",
                "is_partitioning_column": "YES" if column == table.partition_column else "NO",
                "clustering_ordinal_position": clusters.index(column) + 1
                if column in clusters
                else None,
            }
    elif name == "COLUMN_FIELD_PATHS":
        for each in table.fields:
            for path, part in _paths(each, each["name"]):
                yield base | {
                    "column_name": each["name"],
                    "field_path": path,
                    "data_type": _declared(part),
                    "description": part.get("description"),
                    "policy_tags": part.get("policyTags", {}).get("names", []),
                }
    elif name == "PARTITIONS" and not table.query:
        for partition, count in table.partitions().items():
            counted = {"total_rows": count, "last_modified_time": changed}
            yield base | {"partition_id": partition} | counted
    elif name == "TABLE_STORAGE" and not table.query:
        yield base | {"total_rows": table.count, "storage_last_modified_time": changed}
    elif name == "OBJECT_PRIVILEGES":
        for role, grantees in resource.get("_grants", {}).items():
            for grantee in grantees:
                yield {
                    "object_catalog": base["project_id"],
                    "object_schema": base["table_schema"],
                    "object_name": base["table_name"],
                    "object_type": resource["type"],
                    "privilege_type": role,
                    "grantee": grantee,
                }
    elif name == "__TABLES__":
        yield {
            "project_id": base["project_id"],
            "dataset_id": base["table_schema"],
            "table_id": base["table_name"],
            "creation_time": int(resource["creationTime"]),
            "last_modified_time": int(changed.timestamp() * 1000),
            "row_count": table.count,
            "size_bytes": table.size,
            "type": 2 if table.query else 1,
        }


def _option(name: str, kind: str, value: str) -> dict:
    return {"option_name": name, "option_type": kind, "option_value": value}


def _instant(milliseconds: str):
    return EPOCH + int(milliseconds) * 1000 * MICROSECOND


def _declared(each: dict) -> str:
    text = sql_type(type_of(each))
    if "precision" in each:
        return f"{text}({each['precision']}, {each.get('scale', 0)})"
    return f"{text}({each['maxLength']})" if "maxLength" in each else text


def _paths(each: dict, path: str):
    yield path, each
    for part in each.get("fields", ()):
        yield from _paths(part, f"{path}.{part['name']}")

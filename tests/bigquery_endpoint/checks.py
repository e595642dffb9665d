"""Rules of BigQuery that the analyser cannot know."""

import re

from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeKind
from zetasql.wasi._pb2.zetasql.resolved_ast.resolved_ast_enums_pb2 import (
    ResolvedJoinScanEnums,
    ResolvedSubqueryExprEnums,
)

from .errors import BigQueryError, invalid_query
from .judge import attributes, leaf, nodes
from .storage import Table

PARTITION_FUNCTIONS = {
    "date": "DAY",
    "date_trunc": None,
    "timestamp_trunc": None,
    "datetime_trunc": None,
    "range_bucket": None,
}
CLUSTERABLE = {
    TypeKind.Value(f"TYPE_{name}")
    for name in [
        "INT64",
        "STRING",
        "BOOL",
        "DATE",
        "TIMESTAMP",
        "DATETIME",
        "NUMERIC",
        "BIGNUMERIC",
        "GEOGRAPHY",
        "BYTES",
    ]
}
ANALYTIC_ONLY = {"percentile_cont", "percentile_disc"}
NOT_DECORRELATED = (
    "Correlated subqueries that reference other tables are not supported unless they can be "
    "de-correlated, such as by transforming them into an efficient JOIN."
)


def function_name(node) -> str:
    """The name of a function call, as in "date_trunc" or "$equal"; "" for other expressions."""
    found = attributes(node)
    return found["function"].name.split(":")[-1] if "function" in found else ""


def check_query(node):
    """Refuse what BigQuery does not run although its analyser accepts it."""
    kinds = (
        "ResolvedAggregateFunctionCallProto",
        "ResolvedJoinScanProto",
        "ResolvedSubqueryExprProto",
    )
    for found in nodes(node, *kinds):
        if found.DESCRIPTOR.name == "ResolvedJoinScanProto":
            _check_outer_join(found)
        elif found.DESCRIPTOR.name == "ResolvedSubqueryExprProto":
            if found.parameter_list and any(nodes(found.subquery, "ResolvedTableScanProto")):
                _check_correlation(found)
        elif (name := function_name(found)) in ANALYTIC_ONLY:
            message = f"Analytic function {name.upper()} cannot be called without an OVER clause"
            raise invalid_query(message)


def _check_outer_join(join):
    kinds = ResolvedJoinScanEnums
    names = {kinds.LEFT: "LEFT", kinds.RIGHT: "RIGHT", kinds.FULL: "FULL"}
    if join.join_type not in names:
        return
    sides = [
        {column.column_id for column in attributes(leaf(side)).get("column_list", ())}
        for side in (join.left_scan, join.right_scan)
    ]
    if not all(
        any(nodes(side, "ResolvedTableScanProto")) for side in (join.left_scan, join.right_scan)
    ):
        return
    for condition in conjuncts(join.join_expr):
        if function_name(condition) == "$equal":
            read = [columns_read(each) for each in attributes(condition)["argument_list"]]
            if any(
                read[i] and read[1 - i] and read[i] <= sides[0] and read[1 - i] <= sides[1]
                for i in (0, 1)
            ):
                return
    raise invalid_query(
        f"{names[join.join_type]} OUTER JOIN cannot be used without a condition that is an "
        "equality of fields from both sides of the join."
    )


def _check_correlation(subquery):
    """Only equalities with the outer row, and no LIMIT, can surely be turned into a join."""
    outer = {reference.column.column_id for reference in subquery.parameter_list}
    equalities = set()
    for scan in nodes(subquery.subquery, "ResolvedFilterScanProto"):
        for condition in conjuncts(scan.filter_expr):
            read = columns_read(condition) & outer
            if not read:
                continue
            if function_name(condition) == "$equal":
                sides = [columns_read(each) for each in attributes(condition)["argument_list"]]
                if sum(bool(side & outer) for side in sides) == 1 and all(sides):
                    equalities |= read
                    continue
            if subquery.subquery_type not in (
                ResolvedSubqueryExprEnums.EXISTS,
                ResolvedSubqueryExprEnums.IN,
            ):
                raise invalid_query(NOT_DECORRELATED)
    limited = any(nodes(subquery.subquery, "ResolvedLimitOffsetScanProto"))
    if limited or not (equalities or subquery.subquery_type == ResolvedSubqueryExprEnums.IN):
        raise invalid_query(NOT_DECORRELATED)


def conjuncts(expression):
    """The conditions that an expression joins with AND."""
    expression = leaf(expression)
    if function_name(expression) == "$and":
        for part in attributes(expression)["argument_list"]:
            yield from conjuncts(part)
    elif expression.ListFields():
        yield expression


def columns_read(expression) -> set[int]:
    return {ref.column.column_id for ref in nodes(expression, "ResolvedColumnRefProto")}


def layout(found: dict) -> dict:
    """What partitions and clusters a CREATE TABLE asks for, as the REST API describes them."""
    result = {}
    partitions, clusters = found.get("partition_by_list", ()), found.get("cluster_by_list", ())
    if len(partitions) > 1:
        raise invalid_query("Only a single PARTITION BY expression is supported but found several")
    if len(clusters) > 4:
        raise invalid_query("The maximum number of clustering columns is 4")
    for expression in map(leaf, partitions):
        result |= _partitioning(expression)
    names = []
    for expression in map(leaf, clusters):
        if expression.DESCRIPTOR.name != "ResolvedColumnRefProto":
            raise invalid_query("CLUSTER BY expressions must be column names")
        if expression.column.type.type_kind not in CLUSTERABLE:
            raise invalid_query(
                f"CLUSTER BY expression {expression.column.name} has an unsupported type"
            )
        names.append(expression.column.name)
    if names:
        result["clustering"] = {"fields": names}
    return result


def _partitioning(expression) -> dict:
    found = attributes(expression)
    name = function_name(expression)
    if not name and getattr(expression, "column", None) is not None:
        if expression.column.type.type_kind == TypeKind.TYPE_DATE:
            return {"timePartitioning": {"type": "DAY", "field": expression.column.name}}
    elif name in PARTITION_FUNCTIONS:
        column, *rest = map(leaf, found["argument_list"])
        if column.DESCRIPTOR.name == "ResolvedColumnRefProto":
            if name == "range_bucket":
                bounds = [
                    leaf(each).value.value.int64_value
                    for each in attributes(rest[0]).get("argument_list", ())
                ]
                keys = zip(("start", "end", "interval"), map(str, bounds), strict=False)
                spec = {"field": column.column.name, "range": dict(keys)}
                return {"rangePartitioning": spec}
            part = PARTITION_FUNCTIONS[name] or _date_part(rest[0])
            if part is not None:
                return {"timePartitioning": {"type": part, "field": column.column.name}}
    raise invalid_query(
        "PARTITION BY expression must be DATE(<timestamp_column>), DATE(<datetime_column>), "
        "DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column, "
        "TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), DATE_TRUNC(<date_column>, "
        "MONTH/YEAR), or RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>, <int64_value>"
        "[, <int64_value>]))"
    )


DATE_PARTS = {1: "YEAR", 2: "MONTH", 3: "DAY", 7: "HOUR"}


def _date_part(literal) -> str | None:
    return DATE_PARTS.get(literal.value.value.enum_value)


def check_replacement(old: Table, layout: dict):
    """CREATE OR REPLACE TABLE must replace a table, with the same partitions and clusters."""
    if old.query:
        raise invalid_query(
            f"{old.resource['id']} is not allowed for this operation because it is a VIEW"
        )
    for kind, what in (
        ("timePartitioning", "partitioning"),
        ("rangePartitioning", "partitioning"),
        ("clustering", "clustering"),
    ):
        before, after = old.resource.get(kind), layout.get(kind)
        if before and after and kind == "timePartitioning":
            before = {k: before.get(k) for k in ("type", "field")}
        if before != after:
            raise invalid_query(
                f"Cannot replace a table with a different {what} spec. Instead, DROP the table, "
                "and then recreate it."
            )


def check_labels(labels: dict):
    """Labels are lower-case letters, digits, _ and -, at most 63; keys start with a letter."""
    for key, value in labels.items():
        bad = len(key) > 63 or not re.fullmatch(r"[a-z][a-z0-9_-]*", key)
        if bad or (value is not None and not re.fullmatch(r"[a-z0-9_-]{0,63}", value)):
            raise BigQueryError(400, "invalid", f"Invalid label: {key}={value}")


def check_settings(fields: list[dict], settings: dict):
    """Partitioning and clustering given through the REST API rather than in SQL."""
    types = {each["name"]: each["type"] for each in fields}
    partition = settings.get("timePartitioning", {}).get("field")
    if partition and types.get(partition) not in ("DATE", "TIMESTAMP", "DATETIME"):
        message = (
            "The field specified for time partitioning must be a DATE, TIMESTAMP or DATETIME: "
        )
        raise BigQueryError(400, "invalid", message + partition)
    clusters = settings.get("clustering", {}).get("fields", [])
    if len(clusters) > 4:
        raise BigQueryError(400, "invalid", "The maximum number of clustering columns is 4")
    if missing := [name for name in clusters if name not in types]:
        raise BigQueryError(
            400, "invalid", f"The field specified for clustering cannot be found: {missing[0]}"
        )

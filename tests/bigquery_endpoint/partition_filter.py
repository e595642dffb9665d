"""The rule of `require_partition_filter`: no scan without a condition on the partition column.

Walks a query's resolved tree from the top, carrying down the columns that conditions above hold to
constants, through projections, joins, WITH, UNION and views, as BigQuery pushes conditions down.
"""

from google.protobuf.message import Message

from .checks import columns_read, conjuncts, function_name
from .errors import invalid_query
from .judge import attributes, leaf, nodes

COMPARISONS = {
    "$equal",
    "$less",
    "$less_or_equal",
    "$greater",
    "$greater_or_equal",
    "$between",
    "$in",
    "$in_array",
    "$is_null",
    "$not",
    "$or",
}
# a condition on one of these of the column also prunes partitions
MONOTONE = {"date", "date_trunc", "timestamp_trunc", "datetime_trunc", "timestamp", "datetime"}
BLOCKING = {"ResolvedLimitOffsetScanProto", "ResolvedSampleScanProto"}


class PartitionFilters:
    """Checks queries; `judge_view(table)` gives the query of a view."""

    def __init__(self, judge_view):
        self.judge_view = judge_view

    def check(self, query):
        """Raise BigQueryError if the query scans a table without the condition that it requires."""
        if self._needed(query):
            self._walk(query.node, set(), query, {})

    def _needed(self, query) -> bool:
        return any(
            self._needed(self.judge_view(table))
            if table.query
            else table.resource.get("requirePartitionFilter")
            for table in query.tables.values()
        )

    def _walk(self, node: Message, held: set[int], query, withs: dict):
        """held: numbers of the columns that conditions above this node hold to constants."""
        node = leaf(node)
        kind = node.DESCRIPTOR.name
        if kind == "ResolvedTableScanProto":
            return self._table(node, held, query)
        if kind == "ResolvedWithScanProto":
            withs = withs | {each.with_query_name: each for each in node.with_entry_list}
            return self._walk(node.query, held, query, withs)
        if kind == "ResolvedWithRefScanProto":
            entry = withs[node.with_query_name]
            inner = attributes(leaf(entry.with_subquery))["column_list"]
            passed = renamed(attributes(node)["column_list"], inner, held)
            return self._walk(entry.with_subquery, passed, query, withs)
        if kind == "ResolvedSetOperationScanProto":
            for item in node.input_item_list:
                outer = attributes(node)["column_list"]
                passed = renamed(outer, item.output_column_list, held)
                self._walk(item.scan, passed, query, withs)
            return None
        if kind == "ResolvedSubqueryExprProto":
            return self._walk(node.subquery, set(), query, withs)
        if kind == "ResolvedAnalyticScanProto":  # only what all windows are partitioned by
            for group in node.function_group_list:
                by = group.partition_by.partition_by_list
                held = held & {column.column.column_id for column in by}
        found = attributes(node)
        if kind in BLOCKING:
            held = set()
        if kind == "ResolvedFilterScanProto":
            held = held | constrained(found["filter_expr"])
        if kind == "ResolvedJoinScanProto" and "join_expr" in found:
            held = held | constrained(found["join_expr"])
        for key in ("expr_list", "group_by_list"):
            for computed in found.get(key, ()):
                source = monotone_source(computed.expr)
                if source is not None and computed.column.column_id in held:
                    held = held | {source}
        for value in found.values():
            for child in (
                value if hasattr(value, "__len__") and not isinstance(value, str) else [value]
            ):
                if isinstance(child, Message):
                    self._walk(child, held, query, withs)
        return None

    def _table(self, scan, held, query):
        table = query.tables[scan.table.full_name]
        columns = attributes(scan)["column_list"] if scan.column_index_list else ()
        positions = dict(zip(scan.column_index_list, columns, strict=True))
        if table.query:
            view = self.judge_view(table)
            outputs = attributes(view.node)["output_column_list"]
            passed = {
                outputs[position].column.column_id
                for position, column in positions.items()
                if column.column_id in held
            }
            self._walk(view.node, passed, view, {})
        elif table.resource.get("requirePartitionFilter"):
            names = [name for name, _ in table.columns]
            if not any(
                names[position] == table.partition_column and column.column_id in held
                for position, column in positions.items()
            ):
                raise invalid_query(
                    f"Cannot query over table '{'.'.join(table.key)}' without a filter over "
                    f"column(s) '{table.partition_column}' that can be used for partition "
                    "elimination"
                )


def constrained(expression) -> set[int]:
    """The columns that an expression compares with constants, in conditions joined by AND."""
    held = set()
    for condition in conjuncts(expression):
        read = columns_read(condition)
        constant = not any(nodes(condition, "ResolvedSubqueryExprProto"))
        if len(read) == 1 and constant and function_name(condition) in COMPARISONS:
            held |= read
    return held


def monotone_source(expression) -> int | None:
    """The column of which an expression is the value, or its day, month, ..."""
    node = leaf(expression)
    if node.DESCRIPTOR.name == "ResolvedColumnRefProto":
        return node.column.column_id
    if node.DESCRIPTOR.name == "ResolvedCastProto":
        return monotone_source(node.expr)
    if function_name(node) in MONOTONE:
        return monotone_source(attributes(node)["argument_list"][0])
    return None


def renamed(outer, inner, held: set[int]) -> set[int]:
    """Columns held of a scan's output as the columns of the same places within it."""
    pairs = zip(outer, inner, strict=False)
    return {i.column_id for o, i in pairs if o.column_id in held}

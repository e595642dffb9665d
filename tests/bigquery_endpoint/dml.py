"""INSERT, UPDATE, DELETE and MERGE.

Each becomes queries that say which rows change and into what, so that conditions and values are
computed by the reference implementation; only the resulting cells are put into the table here.
"""

from dataclasses import dataclass, field, replace

from zetasql.wasi._pb2.zetasql.parser.ast_enums_pb2 import ASTMergeActionEnums as Action
from zetasql.wasi._pb2.zetasql.parser.ast_enums_pb2 import ASTMergeWhenClauseEnums as When

from .errors import BigQueryError, invalid_query
from .judge import attributes, leaf
from .storage import Table
from .types import NULL_CELL, decode, encode, field_of, sql_type, type_of

ROW = "__row__"
ROW_FIELD = {"name": ROW, "type": "INTEGER", "mode": "NULLABLE", "pseudo": True}
SOURCE = "__source__"
AMBIGUOUS = "UPDATE/MERGE must match at most one source row for each target row"


@dataclass
class Changes:
    """What a statement does to a table: by row number, and rows to add (cells by column)."""

    deleted: set[int] = field(default_factory=set)
    updated: dict[int, dict[str, bytes]] = field(default_factory=dict)
    added: list[dict[str, bytes]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.deleted) + len(self.updated) + len(self.added)

    def apply(self, table: Table) -> Table:
        if not self.count:
            return table
        columns = []
        for (name, _), cells in zip(table.columns, table.cells, strict=True):
            cells = list(cells)
            for row, values in self.updated.items():
                cells[row] = values.get(name, cells[row])
            kept = [cell for row, cell in enumerate(cells) if row not in self.deleted]
            columns.append(kept + [row.get(name, NULL_CELL) for row in self.added])
        return table.with_cells(columns)


class Modifier:
    """Works out the changes of one statement.

    statement: its text and syntax tree; resolved: the analyser's tree; target: the table;
    run(sql, tables, types): a query's Result, in `types`, with `tables` known by further paths.
    """

    def __init__(self, statement, resolved, target: Table, path: tuple, run):
        self._slice, self.node, self.resolved = (
            statement.slice,
            statement.node,
            attributes(resolved),
        )
        self.table, self.path, self.run = target, path, run
        self.types = dict(target.columns)
        self.alias = (
            statement.node.alias.identifier.id_string if has(statement.node, "alias") else path[-1]
        )
        self.target = f"{quoted(path)} as `{self.alias}`"

    def changes(self) -> Changes:
        kind = self.node.DESCRIPTOR.name
        return {
            "ASTInsertStatementProto": self._insert,
            "ASTUpdateStatementProto": self._update,
            "ASTDeleteStatementProto": self._delete,
            "ASTMergeStatementProto": self._merge,
        }[kind]()

    # -------------------------------------------------------------- statements

    def _insert(self) -> Changes:
        names = [column.name for column in self.resolved["insert_column_list"]]
        types = [self.types[name] for name in names]
        if has(self.node, "query"):
            result = self.run(self._slice(self.node.query), types=types)
        else:
            rows = [", ".join(map(self._value, row.values, types)) for row in self.node.rows.rows]
            result = self.run("select " + "\nunion all select ".join(rows), types=types)
        rows = zip(*result.cells, strict=True)
        return Changes(added=[dict(zip(names, row, strict=True)) for row in rows])

    def _delete(self) -> Changes:
        sql = f"select `{self.alias}`.{ROW} from {self.target} where {self._slice(self.node.where)}"
        return Changes(deleted=set(row_numbers(self._run_on(self.table, sql).cells[0])))

    def _update(self) -> Changes:
        names, values = self._assignments(
            self.node.update_item_list.update_items, self.resolved["update_item_list"]
        )
        source = ""
        if has(self.node, "from_clause"):
            source = ", " + self._slice(self.node.from_clause.table_expression)
        condition = self._slice(self.node.where)
        sql = f"select {values} from {self.target}{source} where {condition}"
        changes = Changes()
        for row, cells in updates(self._run_on(self.table, sql), names):
            if row in changes.updated:
                raise invalid_query(AMBIGUOUS)
            changes.updated[row] = cells
        return changes

    def _merge(self) -> Changes:
        expression = leaf(self.node.table_expression)
        alias = (
            expression.alias.identifier.id_string
            if has(expression, "alias")
            else expression.path_expr.names[-1].id_string
        )
        source = as_table(self.run(f"select * from {self._slice(expression)}"))
        on = self._slice(self.node.merge_condition)
        never = on.strip("() ").lower() == "false"
        both = f"from {self.target} join `{SOURCE}` as `{alias}` on {on}"
        numbers = f"select `{self.alias}`.{ROW}, `{alias}`.{ROW} as {ROW}source {both}"
        pairs = [] if never else list(zip(*self._numbers(numbers, source), strict=True))
        unmatched_source = set(range(source.count)) - {pair[1] for pair in pairs}
        unmatched_target = set(range(self.table.count)) - {pair[0] for pair in pairs}
        open_pairs = set(pairs)
        changes = Changes()
        for clause, resolved in zip(
            self.node.when_clauses.clause_list, self.resolved["when_clause_list"], strict=True
        ):
            condition = "true"
            if has(clause, "search_condition"):
                condition = self._slice(clause.search_condition)
            action = clause.action
            if clause.match_type == When.NOT_MATCHED_BY_TARGET:
                names = [column.name for column in resolved.insert_column_list]
                rest = with_row_numbers(keep(source, unmatched_source))
                values = f"`{alias}`.{ROW}{self._insert_values(action, names)}"
                sql = f"select {values} from `{SOURCE}` as `{alias}` where {condition}"
                taken = list(updates(self.run(sql, {(SOURCE,): rest}), names))
                changes.added += [cells for _, cells in taken]
                order = sorted(unmatched_source)
                unmatched_source -= {order[row] for row, _ in taken}
                continue
            names, values = [], f"`{self.alias}`.{ROW}"
            if action.action_type == Action.UPDATE:
                names, values = self._assignments(
                    action.update_item_list.update_items, resolved.update_item_list
                )
            if clause.match_type == When.NOT_MATCHED_BY_SOURCE:
                sql = f"select {values} from {self.target} where {condition}"
                taken = updates(self._run_on(self.table, sql), names)
                taken = [(row, cells) for row, cells in taken if row in unmatched_target]
                unmatched_target -= {row for row, _ in taken}
            elif never:
                continue
            else:
                sql = f"select {values}, `{alias}`.{ROW} as {ROW}source {both} where {condition}"
                result = self._run_on(self.table, sql, {(SOURCE,): source})
                found = zip(updates(result, names), row_numbers(result.cells[-1]), strict=True)
                found = [(row, s, cells) for (row, cells), s in found if (row, s) in open_pairs]
                taken = [(row, cells) for row, _, cells in found]
                open_pairs -= {(row, s) for row, s, _ in found}
            for row, cells in taken:
                if row in changes.deleted or row in changes.updated:
                    raise invalid_query(AMBIGUOUS)
                if action.action_type == Action.DELETE:
                    changes.deleted.add(row)
                else:
                    changes.updated[row] = cells
        return changes

    # -------------------------------------------------------------- parts

    def _numbers(self, sql: str, source: Table) -> list[list[int]]:
        result = self._run_on(self.table, sql, {(SOURCE,): source})
        return [row_numbers(cells) for cells in result.cells]

    def _run_on(self, target: Table, sql: str, tables=None):
        return self.run(sql, {self.path: with_row_numbers(target), **(tables or {})})

    def _value(self, expression, kind) -> str:
        if leaf(expression).DESCRIPTOR.name == "ASTDefaultLiteralProto":
            return f"cast(null as {sql_type(kind)})"
        return f"cast({self._slice(expression)} as {sql_type(kind)})"

    def _insert_values(self, action, names) -> str:
        if not has(action, "insert_row") or not action.insert_row.values:  # INSERT ROW
            values = [f"`{name}`" for name in names]
        else:
            pairs = zip(action.insert_row.values, names, strict=True)
            values = [self._value(value, self.types[name]) for value, name in pairs]
        return "".join(f", {value} as {ROW}{i}" for i, value in enumerate(values))

    def _assignments(self, items, resolved_items) -> tuple[list[str], str]:
        """Names of the columns set, and a select list of the row's number and their values."""
        names, values = [], [f"`{self.alias}`.{ROW}"]
        for item, resolved in zip(items, resolved_items, strict=True):
            column = leaf(resolved.target)
            if column.DESCRIPTOR.name != "ResolvedColumnRefProto":
                raise BigQueryError(501, "notImplemented", "updates of parts of a column")
            name = column.column.name
            names.append(name)
            values.append(
                f"{self._value(item.set_value.value, self.types[name])} as {ROW}{len(names)}"
            )
        return names, ", ".join(values)


def has(node, name: str) -> bool:
    return name in node.DESCRIPTOR.fields_by_name and node.HasField(name)


def quoted(path) -> str:
    return ".".join(f"`{part}`" for part in path)


def row_numbers(cells) -> list[int]:
    return decode(cells, type_of(ROW_FIELD))


def updates(result, names: list[str]):
    """(row number, column -> cell) of a query that gives a row's number and then its values."""
    values = zip(*result.cells[1 : len(names) + 1], strict=True) if names else iter(())
    for row in row_numbers(result.cells[0]):
        yield row, dict(zip(names, next(values), strict=True)) if names else {}


def with_row_numbers(table: Table) -> Table:
    """The table with a column that numbers its rows and that `select *` does not show."""
    numbers = encode(range(table.count), type_of(ROW_FIELD))
    resource = {**table.resource, "schema": {"fields": [*table.fields, ROW_FIELD]}}
    return replace(Table(resource), cells=(*table.cells, numbers))


def as_table(result) -> Table:
    """A query's result as a table with numbered rows."""
    fields = [field_of(name, kind) for name, kind in result.columns]
    reference = {"datasetId": "", "tableId": SOURCE}
    resource = {"schema": {"fields": fields}, "tableReference": reference}
    return with_row_numbers(Table(resource, tuple(result.cells)))


def keep(table: Table, rows: set[int]) -> Table:
    """Some rows of a numbered table, without the numbers."""
    order = sorted(rows)
    fields = [each for each in table.fields if each["name"] != ROW]
    cells = tuple([column[row] for row in order] for column in table.cells[: len(fields)])
    return Table({**table.resource, "schema": {"fields": fields}}, cells)

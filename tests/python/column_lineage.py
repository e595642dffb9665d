"""Which columns of other relations a model's columns are copies of, read from its compiled SQL."""

from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

# (schema, relation, column), all lower case
Origin = tuple[str, str, str]

# What comes out of these still tells the value that went in; sums, counts, lengths, hashes and
# comparisons don't.
_KEEPS_VALUE = (
    exp.Alias, exp.Paren, exp.Cast, exp.TryCast, exp.Coalesce, exp.Nullif, exp.Trim, exp.Lower,
    exp.Upper, exp.Substring, exp.Replace, exp.Pad, exp.Round, exp.Max, exp.Min, exp.Greatest,
    exp.Least, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.DateAdd, exp.DateSub,
    exp.TsOrDsAdd, exp.Concat, exp.DPipe,
)  # fmt: skip


def origins(
    sql: str, schema: dict[str, dict[str, dict[str, str]]], dialect: str = "duckdb"
) -> dict[str, set[Origin]]:
    """Output column -> the columns it is a copy of, through CTEs, unions and subqueries.

    `schema` is {schema: {relation: {column: type}}} of all relations read; a column that isn't in
    it raises sqlglot's OptimizeError.
    """
    tree = parse_one(sql, dialect=dialect)
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    scope = build_scope(qualify(tree, schema=schema, dialect=dialect))
    names = scope.expression.named_selects
    return {name: _of_output(scope, place) for place, name in enumerate(names)}


def _of_output(scope: Scope, place: int) -> set[Origin]:
    if isinstance(scope.expression, exp.SetOperation):
        return set().union(*(_of_output(branch, place) for branch in scope.set_operation_scopes))
    return _of_expression(scope, scope.expression.selects[place])


def _of_expression(scope: Scope, expression: exp.Expression) -> set[Origin]:
    if isinstance(expression, exp.Column):
        source = scope.sources[expression.table]
        if isinstance(source, exp.Table):
            return {(source.db.lower(), source.name.lower(), expression.name.lower())}
        names = [name.lower() for name in source.expression.named_selects]
        return _of_output(source, names.index(expression.name.lower()))
    if isinstance(expression, exp.Case):
        # the results, not the conditions
        parts = [branch.args["true"] for branch in expression.args["ifs"]]
        parts.append(expression.args.get("default"))
    elif isinstance(expression, exp.Window):
        parts = [expression.this]
    elif isinstance(expression, exp.Add | exp.Sub) and expression.find(exp.Interval):
        parts = [expression.this, expression.expression]
    elif isinstance(expression, exp.Nullif):
        parts = [expression.this]
    elif isinstance(expression, exp.Subquery):
        inner = next(s for s in scope.subquery_scopes if s.expression is expression.unnest())
        return _of_output(inner, 0)
    elif isinstance(expression, _KEEPS_VALUE):
        parts = list(expression.iter_expressions())
    else:
        parts = []
    return set().union(*(_of_expression(scope, part) for part in parts if part is not None))

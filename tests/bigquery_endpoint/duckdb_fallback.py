"""DuckDB, for queries that ZetaSQL's reference implementation cannot run.

sqlglot's translation is not a proof of BigQuery's results: each use is listed in the report.
"""

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeKind, TypeProto

from .errors import BigQueryError
from .types import decode, encode, python_value, sql_type

ARROW = {
    TypeKind.TYPE_INT64: pa.int64(),
    TypeKind.TYPE_DOUBLE: pa.float64(),
    TypeKind.TYPE_BOOL: pa.bool_(),
    TypeKind.TYPE_STRING: pa.string(),
    TypeKind.TYPE_JSON: pa.string(),
    TypeKind.TYPE_BYTES: pa.binary(),
    TypeKind.TYPE_DATE: pa.date32(),
    TypeKind.TYPE_TIMESTAMP: pa.timestamp("us", "UTC"),
    TypeKind.TYPE_DATETIME: pa.timestamp("us"),
    TypeKind.TYPE_TIME: pa.time64("us"),
    TypeKind.TYPE_NUMERIC: pa.decimal128(38, 9),
    TypeKind.TYPE_BIGNUMERIC: pa.decimal128(38, 9),
}


def run(sql: str, query, content: dict) -> tuple[tuple[list[bytes], ...], int]:
    """Columns of cells and number of rows. `sql` names the tables of `content`."""
    given = dict(query.variables)
    given |= {name: (kind, value) for name, kind, value in query.parameters if name}
    try:
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            for name, (columns, cells) in content.items():
                connection.register(name, arrow_table(columns, cells))
            rows = connection.execute(translate(sql, given)).fetchall()
    except (duckdb.Error, sqlglot.errors.SqlglotError) as error:
        message = f"neither the reference implementation nor DuckDB can run this: {error}"
        raise BigQueryError(501, "notImplemented", message) from error
    columns = zip(*rows, strict=True) if rows else [()] * len(query.columns)
    pairs = zip(columns, query.columns, strict=True)
    return tuple(encode(values, kind) for values, (_, kind) in pairs), len(rows)


def translate(sql: str, given: dict) -> str:
    """BigQuery's SQL as DuckDB's, with parameters and script variables written in."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    for node in list(tree.find_all(exp.Parameter, exp.Column)):
        if node.name in given and not (isinstance(node, exp.Column) and node.table):
            kind, value = given[node.name]
            text = str(python_value(value, kind))
            literal = exp.Literal.string(text) if value.WhichOneof("value") else exp.null()
            node.replace(exp.cast(literal, exp.DataType.build(sql_type(kind), "bigquery")))
    return tree.sql(dialect="duckdb")


def arrow_table(columns: list[tuple[str, TypeProto]], cells: list[list[bytes]]) -> pa.Table:
    arrays = [
        pa.array(_plain(decode(column, kind), kind), arrow_type(kind))
        for (_, kind), column in zip(columns, cells, strict=True)
    ]
    return pa.table(arrays, names=[name for name, _ in columns])


def arrow_type(kind: TypeProto) -> pa.DataType:
    if kind.type_kind == TypeKind.TYPE_ARRAY:
        return pa.list_(arrow_type(kind.array_type.element_type))
    if kind.type_kind == TypeKind.TYPE_STRUCT:
        return pa.struct([(m.field_name, arrow_type(m.field_type)) for m in kind.struct_type.field])
    return ARROW[kind.type_kind]


def _plain(values, kind: TypeProto):
    """Structs as Arrow takes them: by field name."""
    if kind.type_kind == TypeKind.TYPE_ARRAY:
        element = kind.array_type.element_type
        return [v if v is None else _plain(v, element) for v in values]
    if kind.type_kind == TypeKind.TYPE_STRUCT:
        members = kind.struct_type.field
        return [
            v
            if v is None
            else {
                m.field_name: _plain([p], m.field_type)[0] for m, p in zip(members, v, strict=True)
            }
            for v in values
        ]
    return values

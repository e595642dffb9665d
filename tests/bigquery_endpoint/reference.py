"""Runs queries on ZetaSQL's reference implementation; what it lacks runs on DuckDB, listed."""

import re
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from google.protobuf.message import Message
from zetasql.core.exceptions import ServerError, StatusCode
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2
from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeKind, TypeProto
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

from . import duckdb_fallback
from .errors import invalid_query
from .judge import Judge, attributes, in_catalog, leaf, nodes, text_range
from .report import Report
from .storage import Table
from .types import length_prefix
from .zetasql_client import Trapped

VOLATILE = re.compile(r"\b(current_|rand\s*\(|generate_uuid|session_user)", re.I)
FEW_ROWS = 1500
REMEMBERED = 200  # results of identical queries on unchanged tables


@dataclass
class Query:
    """An accepted query and what it may read by full name.

    text, node: the statement that it is, or of which it is the part at `span` (in bytes).
    """

    text: str
    node: Message
    tables: dict[str, Table]
    variables: dict = field(default_factory=dict)
    parameters: tuple = ()
    span: tuple[int, int] | None = None

    @property
    def sql(self) -> str:
        start, end = self.span or (0, None)
        return self.text.encode()[start:end].decode()

    @cached_property
    def columns(self) -> list[tuple[str, TypeProto]]:
        """Output names (as BigQuery makes them up where there are none) and types."""
        listed = attributes(self.node)["output_column_list"]
        return [
            (f"f{i}_" if not c.name or c.name.startswith("$") else c.name, c.column.type)
            for i, c in enumerate(listed)
        ]

    @cached_property
    def scans(self) -> list[Message]:
        return list(nodes(self.node, "ResolvedTableScanProto"))

    @cached_property
    def reads(self) -> dict[str, set[int]]:
        """Full name -> positions of the columns that the query reads."""
        used = {}
        for scan in self.scans:
            used.setdefault(scan.table.full_name, set()).update(scan.column_index_list)
        return used

    @property
    def is_empty(self) -> bool:
        """Whether it ends in LIMIT 0, as do the queries by which dbt asks for columns."""
        scan = leaf(attributes(self.node)["query"])
        limit = leaf(scan.limit) if scan.DESCRIPTOR.name == "ResolvedLimitOffsetScanProto" else None
        if limit is None or limit.DESCRIPTOR.name != "ResolvedLiteralProto":
            return False
        return limit.value.value.int64_value == 0

    def flattened(self, template: str) -> str:
        """The text with each table replaced by a template of its flat name."""
        cuts = {}
        for scan in self.scans:
            name = scan.table.full_name
            alias = "" if scan.alias else f" as `{name.split('.')[-1]}`"
            cuts[text_range(scan)] = template.format(self.flat_name(name)) + alias
        text, shift = self.sql.encode(), self.span[0] if self.span else 0
        for (start, end), replacement in sorted(cuts.items(), reverse=True):
            text = text[: start - shift] + replacement.encode() + text[end - shift :]
        return text.decode()

    def flat_name(self, name: str) -> str:
        return f"table_{list(self.tables).index(name)}"


@dataclass
class Result:
    columns: list[tuple[str, TypeProto]]
    cells: tuple[list[bytes], ...]
    count: int


class Reference:
    """Runs queries, each for at most some seconds.

    `judge_view(table)` gives a view's Query, `tables_of(table)` what a view reads, by its path.
    """

    def __init__(self, judge: Judge, report: Report, judge_view, tables_of, seconds: float):
        self.judge, self.report, self.seconds = judge, report, seconds
        self.judge_view, self.tables_of = judge_view, tables_of
        self._views: dict[int, tuple[tuple, Result]] = {}
        self._results: OrderedDict[tuple, Result] = OrderedDict()

    def run(self, query: Query) -> Result:
        """The rows of a query. Raises BigQueryError where BigQuery's run would fail."""
        key = self._key(query)
        if key in self._results:
            self.report.remembered += 1
            return self._results[key]
        result = self._run(query)
        if not VOLATILE.search(query.sql):
            self._results[key] = result
            if len(self._results) > REMEMBERED:
                self._results.popitem(last=False)
        return result

    def _key(self, query: Query) -> tuple:
        given = [
            (name, value.SerializeToString())
            for name, (_, value) in sorted(query.variables.items())
        ] + [(name, value.SerializeToString()) for name, _, value in query.parameters]
        states = tuple((name, self.state(table)) for name, table in query.tables.items())
        return query.sql, tuple(given), states

    def state(self, table: Table) -> tuple:
        """What changes whenever the rows of a table or view may have changed."""
        if not table.query:
            return (table.version,)
        return (table.version, *(self.state(each) for each in self.tables_of(table).values()))

    def cells(self, table: Table) -> tuple[list[bytes], ...]:
        """A table's rows; a view's are computed once for each state of the tables beneath it."""
        if not table.query:
            return table.cells
        state = self.state(table)
        known = self._views.get(table.key)
        if known is None or known[0] != state:
            view = self.judge_view(table)
            known = (state, self._run(view))
            if not VOLATILE.search(view.sql):
                self._views[table.key] = known
        return known[1].cells

    def _run(self, query: Query) -> Result:
        if query.is_empty:
            return Result(query.columns, tuple([] for _ in query.columns), 0)
        failure = None
        began = time.monotonic()
        for attempt in (self._with_parameters, self._with_tables, self._with_whole_tables):
            try:
                result = attempt(query)
            except ServerError as error:
                message = re.sub(r"^Code: \d+, Message: ", "", error.raw_error)
                if error.code == StatusCode.OUT_OF_RANGE:  # division by zero, a bad cast, ...
                    raise invalid_query(message) from None
                failure = message
                if error.code == StatusCode.UNIMPLEMENTED:
                    break
            except Trapped as error:
                self.report.crashes += 1
                failure = f"crashed or took too long: {error}"
                break
            else:
                if result is not None:
                    self.report.reference += 1
                    self.report.took(time.monotonic() - began, query.text)
                    return result
        self.report.fallbacks.append({"statement": query.sql, "reason": failure[:500]})
        content = self._content(query, everything=True)
        return Result(query.columns, *duckdb_fallback.run(query.flattened("`{}`"), query, content))

    def _content(self, query: Query, everything=False) -> dict:
        """Flat table name -> (columns, cells), of the columns that the query reads."""
        content = {}
        for name, used in query.reads.items():
            table = query.tables[name]
            cells, columns = self.cells(table), table.columns
            chosen = range(len(columns)) if everything else sorted(used) or [0]
            flat = query.flat_name(name)
            content[flat] = [columns[i] for i in chosen], [cells[i] for i in chosen]
        return content

    # Contents can be given in two ways. As query parameters they need no catalog of their own,
    # which saves most of the time of a small query; as tables they are read faster.

    def _with_parameters(self, query: Query) -> Result | None:
        content = self._content(query)
        if query.variables or sum(len(cells[0]) for _, cells in content.values()) > FEW_ROWS:
            return None
        parameters = list(query.parameters)
        for name, (columns, cells) in content.items():
            kind = array_of_structs(columns)
            value = ValueProto()
            value.array_value.SetInParent()
            for row in zip(*cells, strict=True):
                value.array_value.element.add().struct_value.MergeFromString(b"".join(row))
            parameters.append((name, kind, value))
        functions = self.judge.registered("functions", None, lambda: self.judge.catalog({}, {}))
        return self._evaluate(query, query.flattened("unnest(@{})"), functions, parameters)

    def _with_tables(self, query: Query, everything=False) -> Result:
        content = self._content(query, everything)
        pseudo = set().union(*(table.pseudo_columns for table in query.tables.values()))
        tables = {(name,): (name, columns, pseudo) for name, (columns, _) in content.items()}
        catalog = self.judge.catalog(tables, query.variables)
        cells = {name: cells for name, (_, cells) in content.items()}
        return self._evaluate(query, query.flattened("`{}`"), catalog, query.parameters, cells)

    def _with_whole_tables(self, query: Query) -> Result:
        """For a column that only `* except` or `using` names, which counts as not read."""
        return self._with_tables(query, everything=True)

    def _evaluate(self, query: Query, sql: str, catalog, parameters, cells=None) -> Result:
        options = options_pb2.AnalyzerOptionsProto()
        options.CopyFrom(self.judge.with_parameters(parameters))
        del options.system_variables[:]  # the reference implementation takes none
        request = service.PrepareQueryRequest(sql=sql, options=options, **in_catalog(catalog))
        for name, columns in (cells or {}).items():
            request.table_content[name].table_data.MergeFromString(table_data(columns))
        timer = threading.Timer(self.seconds, self.judge.zetasql.interrupt)
        timer.start()
        call = self.judge.zetasql.call
        try:
            prepared = call("PrepareQuery", request, service.PrepareQueryResponse).prepared
            number = prepared.prepared_query_id
            evaluate = service.EvaluateQueryRequest(prepared_query_id=number)
            for name, _, value in parameters:
                evaluate.params.add(name=name, value=value)
            try:
                answer = call("EvaluateQuery", evaluate, service.EvaluateQueryResponse)
            finally:
                with suppress(ServerError):  # a fresh instance after a crash knows nothing of it
                    call("UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=number))
        finally:
            timer.cancel()
        rows = answer.content.table_data.row
        # a CREATE TABLE's own columns may have other types than its query, to which they are cast
        types = [column.type for column in prepared.columns]
        if query.span is None and types != [kind for _, kind in query.columns]:
            raise ServerError(StatusCode.INTERNAL, "", "the flattened query has other columns")
        columns = [(name, kind) for (name, _), kind in zip(query.columns, types, strict=True)]
        return Result(columns, columns_of(rows, len(columns)), len(rows))


def array_of_structs(columns: list[tuple[str, TypeProto]]) -> TypeProto:
    """The type of a table's rows as one value."""
    kind = TypeProto(type_kind=TypeKind.TYPE_ARRAY)
    element = kind.array_type.element_type
    element.type_kind = TypeKind.TYPE_STRUCT
    for name, column in columns:
        element.struct_type.field.add(field_name=name, field_type=column)
    return kind


def table_data(cells: list[list[bytes]]) -> bytes:
    """Columns of cells as ZetaSQL's table data: the rows as protobuf, joined by hand for speed."""
    rows = []
    for row in zip(*cells, strict=True):
        body = b"".join(row)
        rows.append(b"\x0a" + length_prefix(len(body)) + body)
    return b"".join(rows)


def columns_of(rows, width: int) -> tuple[list[bytes], ...]:
    """ZetaSQL's rows as columns of cells."""
    columns = tuple([] for _ in range(width))
    for row in rows:
        for column, value in zip(columns, row.cell, strict=True):
            body = value.SerializeToString()
            column.append(b"\x0a" + length_prefix(len(body)) + body)
    return columns

"""Runs scripts: what each kind of statement does to the warehouse."""

from dataclasses import dataclass, field, replace

from google.protobuf.message import Message
from zetasql.wasi._pb2.zetasql.local_service.local_service_pb2 import TableData
from zetasql.wasi._pb2.zetasql.resolved_ast.resolved_ast_enums_pb2 import (
    ResolvedCreateStatementEnums as Create,
)

from . import checks
from .dml import SOURCE, Modifier, as_table
from .errors import BigQueryError, invalid_query
from .information_schema import virtual_table
from .judge import Judge, attributes, leaf, nodes, split_quoted_paths, text_range
from .partition_filter import PartitionFilters
from .reference import Query, Reference, Result
from .report import Report
from .storage import Table, Warehouse, milliseconds
from .types import NULL_CELL, field_of, python_value, sql_type, value_proto
from .zetasql_client import ZetaSQL

QUERY_SECONDS = 600  # ends what never would; the slowest of our models takes two minutes
DDL_IN_TRANSACTION = (
    "DDL statement is not supported in a transaction, other than those creating or droping "
    "temporary tables or temporary functions."
)
DML = {
    "ASTInsertStatementProto": "INSERT",
    "ASTUpdateStatementProto": "UPDATE",
    "ASTDeleteStatementProto": "DELETE",
    "ASTMergeStatementProto": "MERGE",
}
PERMANENT_DDL = {
    "ASTCreateViewStatementProto",
    "ASTCreateSchemaStatementProto",
    "ASTAlterTableStatementProto",
    "ASTAlterViewStatementProto",
    "ASTAlterSchemaStatementProto",
    "ASTGrantStatementProto",
    "ASTRevokeStatementProto",
}
TEMPORARY = "_script"  # the dataset of a script's temporary tables; they live in its session


@dataclass
class Session:
    """What one script sees besides the warehouse."""

    default_dataset: str | None = None
    parameters: tuple = ()  # (name or "", type, value)
    variables: dict = field(default_factory=dict)  # name -> (type, value)
    temporary: dict[str, Table] = field(default_factory=dict)
    before: tuple | None = None  # what a rollback restores


@dataclass
class Statement:
    """One statement of a script: its syntax tree, and its text within the script's."""

    node: Message
    script: bytes

    @property
    def sql(self) -> str:
        return self.slice(self.node)

    def slice(self, node: Message) -> str:
        """The text of a part of the tree."""
        start, end = text_range(node)
        return self.script[start:end].decode()

    def span(self, node: Message) -> tuple[int, int]:
        """Where a part of the tree stands in the statement, in bytes."""
        start, end = text_range(node)
        shift = text_range(self.node)[0]
        return start - shift, end - shift


@dataclass
class Outcome:
    """What a statement gives back: its kind as the REST API names it, rows, and what it changed."""

    kind: str
    result: Result | None = None
    affected: int | None = None
    table: Table | None = None


class Engine:
    """The warehouse with all that runs statements on it. Not thread-safe: callers hold one lock."""

    def __init__(self, project: str, query_seconds: float = QUERY_SECONDS):
        self.report = Report()
        self.warehouse = Warehouse(project)
        self.judge = Judge(ZetaSQL(), self.report)
        self.reference = Reference(
            self.judge, self.report, self._judge_view, self._tables_of, query_seconds
        )
        self._judged_views: dict[tuple, tuple[str, list, Query]] = {}
        self._partition_filters = PartitionFilters(self._judge_view)
        self._handlers = {
            "ASTQueryStatementProto": self._query,
            "ASTCreateTableStatementProto": self._create_table,
            "ASTCreateViewStatementProto": self._create_view,
            "ASTCreateSchemaStatementProto": self._create_schema,
            "ASTDropStatementProto": self._drop,
            "ASTAlterTableStatementProto": self._alter_table,
            "ASTAlterViewStatementProto": self._alter_table,
            "ASTAlterSchemaStatementProto": self._alter_schema,
            "ASTTruncateStatementProto": self._truncate,
            "ASTGrantStatementProto": self._grant,
            "ASTRevokeStatementProto": self._grant,
            "ASTAssertStatementProto": self._assert,
            "ASTVariableDeclarationProto": self._declare,
            "ASTSingleAssignmentProto": self._assign,
            "ASTAssignmentFromStructProto": self._assign_struct,
            "ASTBeginStatementProto": self._begin,
            "ASTCommitStatementProto": self._commit,
            "ASTRollbackStatementProto": self._rollback,
        } | dict.fromkeys(DML, self._modify)

    # -------------------------------------------------------------- scripts and queries

    def run(self, sql: str, session: Session) -> Outcome:
        """Run one statement or a script; a failure within a transaction undoes all of it."""
        sql = split_quoted_paths(sql)
        if session.parameters and not session.parameters[0][0]:
            sql, session.parameters = name_parameters(
                sql, self.judge.parse(sql), session.parameters
            )
        text = sql.encode()
        statements = self.judge.parse(sql)
        last = selected = Outcome("SCRIPT")
        try:
            for node in statements:
                last = self._statement(Statement(node, text), session)
                if last.result is not None:
                    selected = last
        except Exception:
            self._undo(session)
            raise
        self._undo(session)  # a transaction that the script left open
        if len(statements) == 1:
            return last
        return Outcome("SCRIPT", selected.result)

    def dry_run(self, sql: str, session: Session) -> tuple[str, list]:
        """Kind and output columns of a single statement, which is judged and not run."""
        sql = split_quoted_paths(sql)
        (node,) = self.judge.parse(sql)
        kind = node.DESCRIPTOR.name
        target = [path_of(node.target_path)] if kind in DML else []
        query = self.judged(sql, session, also=target)
        if kind == "ASTQueryStatementProto":
            return "SELECT", query.columns
        return DML.get(kind, "SCRIPT"), []

    def _statement(self, statement: Statement, session: Session) -> Outcome:
        kind = statement.node.DESCRIPTOR.name
        if kind not in self._handlers:
            name = kind.removeprefix("AST").removesuffix("Proto")
            raise BigQueryError(501, "notImplemented", f"{name} is not in the local subset")
        if session.before is not None and kind in PERMANENT_DDL:
            raise self.judge.reject(invalid_query(DDL_IN_TRANSACTION))
        outcome = self._handlers[kind](statement, session)
        self.report.statements[outcome.kind] += 1
        return outcome

    def judged(self, text: str, session: Session, tables=None, also=()) -> Query:
        """An accepted statement. `tables` hide the warehouse's; `also`: further paths named."""
        known = tables or {}
        paths = dict.fromkeys([*self.judge.table_names(text), *also])
        found = {p: known[p] if p in known else self._lookup(p, session) for p in paths}
        names = {path: self._full_name(path, table) for path, table in found.items()}
        ordinary = all(
            t is self.warehouse.tables.get(t.key) and len(p) > 1 for p, t in found.items()
        )
        if ordinary and not session.variables:
            catalog = self._whole_catalog()
        else:
            described = {p: (names[p], t.columns, t.pseudo_columns) for p, t in found.items()}
            catalog = self.judge.kept_catalog(described, session.variables)
        node = self.judge.analyze(text, catalog, session.parameters)
        named = {names[path]: table for path, table in found.items()}
        query = Query(text, node, named, session.variables, session.parameters)
        try:
            checks.check_query(node)
        except BigQueryError as error:
            raise self.judge.reject(error) from None
        return query

    def _full_name(self, path: tuple, table: Table) -> str:
        ours = table is self.warehouse.tables.get(table.key)
        return ".".join((self.warehouse.project, *table.key) if ours else path)

    def _whole_catalog(self) -> int:
        """The number of a catalog of all tables, made anew when one has other columns."""
        held = self.warehouse.tables
        schemas = {key: table.resource["schema"] for key, table in held.items()}

        def make():
            tables = {}
            for key, table in held.items():
                path = (self.warehouse.project, *key)
                tables[path] = tables[key] = ".".join(path), table.columns, ()
            return self.judge.catalog(tables, {})

        return self.judge.registered("tables", schemas, make)

    def _lookup(self, path: tuple, session: Session) -> Table:
        if len(path) == 1 and path[0] in session.temporary:
            return session.temporary[path[0]]
        if (table := virtual_table(self.warehouse, path, session.default_dataset)) is not None:
            return table
        try:
            table = self.warehouse.table(*self.warehouse.key(path, session.default_dataset))
        except BigQueryError as error:
            raise self.judge.reject(error) from None
        return self._as_now(table) if table.query else table

    def _as_now(self, view: Table) -> Table:
        """A view with the columns that its query has on the tables as they are now."""
        columns = self._judge_view(view).columns
        if [kind for _, kind in columns] == [kind for _, kind in view.columns]:
            return view
        return self.warehouse.put(view.with_fields([field_of(*column) for column in columns]))

    def select(self, text: str, session: Session, tables=None, types=None) -> Result:
        """The rows of a query (see `judged`), in the types of the columns that they go to."""
        return self._run(self.judged(text, session, tables), session, types)

    def _run(self, query: Query, session: Session, types=None) -> Result:
        try:
            self._partition_filters.check(query)
        except BigQueryError as error:
            raise self.judge.reject(error) from None
        result = self.reference.run(query)
        own = [kind for _, kind in result.columns]
        if types is None or own == types:
            return result
        columns = []
        for i, (have, want) in enumerate(zip(own, types, strict=True)):
            empty = all(cell == NULL_CELL for cell in result.cells[i])  # a bare NULL is an INT64
            value = "null" if empty else f"c{i}"
            columns.append(
                f"c{i}" if have == want else f"cast({value} as {sql_type(want)}) as c{i}"
            )
        renamed = replace(result, columns=[(f"c{i}", kind) for i, kind in enumerate(own)])
        tables = {(SOURCE,): as_table(renamed)}
        return self.select(f"select {', '.join(columns)} from {SOURCE}", session, tables)

    def _tables_of(self, view: Table) -> dict[tuple, Table]:
        return {path: self._lookup(path, Session()) for path in view.reads}

    def _judge_view(self, view: Table) -> Query:
        """A view's query on the tables as they are, analysed again when their columns changed."""
        below = self._tables_of(view)
        schemas = [table.resource["schema"] for table in below.values()]
        known = self._judged_views.get(view.key)
        if known is None or known[:2] != (view.query, schemas):
            known = view.query, schemas, self.judged(view.query, Session())
            self._judged_views[view.key] = known
        tables = {self._full_name(path, table): table for path, table in below.items()}
        return replace(known[2], tables=tables)

    def rows(self, table: Table) -> Result:
        """The rows of a table, or of a view as its query gives them now."""
        cells = self.reference.cells(table)
        return Result(table.columns, cells, len(cells[0]) if cells else 0)

    def _query(self, statement, session) -> Outcome:
        result = self.select(statement.sql, session)
        return Outcome("SELECT", result, result.count)

    # -------------------------------------------------------------- definitions

    def _create_table(self, statement, session) -> Outcome:
        kind = "CREATE_TABLE_AS_SELECT" if statement.node.HasField("query") else "CREATE_TABLE"
        query = self.judged(statement.sql, session)
        found = attributes(query.node)
        if statement.node.HasField("clone_data_source") or statement.node.HasField(
            "copy_data_source"
        ):
            raise BigQueryError(501, "notImplemented", "CREATE TABLE CLONE and COPY")
        temporary = found.get("create_scope") == Create.CREATE_TEMP
        if session.before is not None and not temporary:
            raise self.judge.reject(invalid_query(DDL_IN_TRANSACTION))
        path = tuple(found["name_path"])
        key = (TEMPORARY, path[-1]) if temporary else self._key(path, session)
        fields = [definition_field(each) for each in found["column_definition_list"]]
        spec = checks.layout(found)
        resource = spec | options(found)
        table = self.warehouse.new_table(*key, fields, **resource)
        tables = session.temporary if temporary else self.warehouse.tables
        old = tables.get(path[-1] if temporary else key)
        if old:
            if found.get("create_mode") == Create.CREATE_IF_NOT_EXISTS:
                return Outcome(kind, affected=0, table=old)
            if found.get("create_mode") != Create.CREATE_OR_REPLACE:
                message = f"Already Exists: Table {table.resource['id']}"
                raise BigQueryError(409, "duplicate", message)
            checks.check_replacement(old, spec)
        if statement.node.HasField("query"):
            query.span = statement.span(statement.node.query)
            types = [type_ for _, type_ in table.columns]
            table = table.with_cells(self._run(query, session, types).cells)
        if temporary:
            session.temporary[path[-1]] = table
        else:
            self.warehouse.put(table)
        return Outcome(kind, affected=table.count, table=table)

    def _create_view(self, statement, session) -> Outcome:
        query = self.judged(statement.sql, session)
        found = attributes(query.node)
        key = self._key(tuple(found["name_path"]), session)
        query.span = statement.span(attributes(statement.node)["query"])
        fields = [definition_field(each) for each in found["column_definition_list"]]
        old = self.warehouse.tables.get(key)
        if old and found.get("create_mode") == Create.CREATE_IF_NOT_EXISTS:
            return Outcome("CREATE_VIEW", table=old)
        if old and found.get("create_mode") != Create.CREATE_OR_REPLACE:
            raise BigQueryError(409, "duplicate", f"Already Exists: Table {old.resource['id']}")
        if old and not old.query:
            raise invalid_query(
                f"{old.resource['id']} is not allowed for this operation because it is a TABLE"
            )
        table = self._view(key, query, fields, **options(found))
        return Outcome("CREATE_VIEW", table=self.warehouse.put(table))

    def new_view(self, key, sql: str, **resource) -> Table:
        """A view on a query, which is judged."""
        query = self.judged(split_quoted_paths(sql), Session())
        return self._view(key, query, [field_of(*column) for column in query.columns], **resource)

    def _view(self, key, query: Query, fields: list[dict], **resource) -> Table:
        view = {"query": query.sql, "useLegacySql": False}
        table = self.warehouse.new_table(*key, fields, view=view, **resource)
        table = replace(table, reads=tuple(tuple(name.split(".")) for name in query.tables))
        schemas = [each.resource["schema"] for each in query.tables.values()]
        self._judged_views[key] = query.sql, schemas, query
        return table

    def _create_schema(self, statement, session) -> Outcome:
        found = attributes(self.judged(statement.sql, session).node)
        name = found["name_path"][-1]
        if (
            name in self.warehouse.datasets
            and found.get("create_mode") == Create.CREATE_IF_NOT_EXISTS
        ):
            return Outcome("CREATE_SCHEMA")
        self.warehouse.create_dataset(name, options(found))
        return Outcome("CREATE_SCHEMA")

    def _drop(self, statement, session) -> Outcome:
        found = attributes(self.judged(statement.sql, session).node)
        kind, path = found["object_type"], tuple(found["name_path"])
        if kind == "TABLE" and len(path) == 1 and path[0] in session.temporary:
            del session.temporary[path[0]]
            return Outcome("DROP_TABLE")
        if session.before is not None:
            raise self.judge.reject(invalid_query(DDL_IN_TRANSACTION))
        if kind == "SCHEMA":
            if path[-1] in self.warehouse.datasets or not found.get("is_if_exists"):
                self.warehouse.drop_dataset(path[-1], found.get("drop_mode") == 2)  # CASCADE
            return Outcome("DROP_SCHEMA")
        key = self._key(path, session)
        if key not in self.warehouse.tables and found.get("is_if_exists"):
            return Outcome(f"DROP_{kind}")
        table = self.warehouse.table(*key)
        if table.resource["type"] != kind:
            raise invalid_query(f"{table.resource['id']} is not a {kind}")
        del self.warehouse.tables[key]
        return Outcome(f"DROP_{kind}")

    def _alter_table(self, statement, session) -> Outcome:
        path = path_of(attributes(statement.node)["path"])
        key = self._key(path, session)
        if attributes(statement.node).get("is_if_exists") and key not in self.warehouse.tables:
            return Outcome("ALTER_TABLE")
        found = attributes(self.judged(statement.sql, session, also=[path]).node)
        table = self.warehouse.table(*key)
        for action in map(leaf, found.get("alter_action_list", ())):
            table = self._altered(table, action.DESCRIPTOR.name, attributes(action))
        table = table.with_resource(**options(found))  # SET OPTIONS has a node of its own
        self.warehouse.put(table)
        return Outcome("ALTER_TABLE", table=table)

    def _altered(self, table: Table, kind: str, action: dict) -> Table:
        names = [each["name"].lower() for each in table.fields]
        if kind == "ResolvedSetOptionsActionProto":
            return table.with_resource(**options(action))
        if kind == "ResolvedAddColumnActionProto":
            new = definition_field(action["column_definition"])
            if new["name"].lower() in names:
                if action.get("is_if_not_exists"):
                    return table
                raise invalid_query(f"Column already exists: {new['name']}")
            if new["mode"] == "REQUIRED":
                raise invalid_query(
                    f"Cannot add REQUIRED column {new['name']} to an existing table"
                )
            return table.with_fields([*table.fields, new])
        if kind == "ResolvedDropColumnActionProto":
            if action["name"].lower() not in names and not action.get("is_if_exists"):
                raise invalid_query(f"Column not found: {action['name']}")
            return table.with_fields(
                [each for each in table.fields if each["name"].lower() != action["name"].lower()]
            )
        if kind == "ResolvedAlterColumnOptionsActionProto":
            changed = options(action)
            return table.with_fields(
                [
                    each | changed if each["name"].lower() == action["column"].lower() else each
                    for each in table.fields
                ]
            )
        raise BigQueryError(501, "notImplemented", f"ALTER TABLE: {kind}")

    def _alter_schema(self, statement, session) -> Outcome:
        found = attributes(self.judged(statement.sql, session).node)
        name = found["name_path"][-1]
        for action in map(leaf, found["alter_action_list"]):
            changed = self.warehouse.dataset(name) | options(attributes(action))
            self.warehouse.datasets[name] = changed
        return Outcome("ALTER_SCHEMA")

    def _grant(self, statement, session) -> Outcome:
        path = path_of(statement.node.target_path)
        revoke = statement.node.DESCRIPTOR.name == "ASTRevokeStatementProto"
        found = attributes(self.judged(statement.sql, session, also=[path]).node)
        table = self.warehouse.table(*self._key(path, session))
        grants = {role: list(to) for role, to in table.resource.get("_grants", {}).items()}
        grantees = [leaf(each).value.value.string_value for each in found["grantee_expr_list"]]
        for privilege in found["privilege_list"]:
            if not privilege.action_type.startswith("roles/"):
                raise invalid_query(f"Role {privilege.action_type} is not supported")
            held = [each for each in grants.get(privilege.action_type, []) if each not in grantees]
            for grantee in grantees:
                if grantee.partition(":")[0] not in (
                    "user",
                    "group",
                    "serviceAccount",
                    "domain",
                    "specialGroup",
                ):
                    raise invalid_query(f"Invalid IAM principal {grantee}")
            grants[privilege.action_type] = held if revoke else held + grantees
        self.warehouse.put(table.with_resource(_grants=grants))
        return Outcome("REVOKE" if revoke else "GRANT")

    # -------------------------------------------------------------- changes

    def _modify(self, statement, session) -> Outcome:
        path = path_of(statement.node.target_path)
        query = self.judged(statement.sql, session, also=[path])
        table = self._lookup(path, session)
        if table.query:
            raise self.judge.reject(
                invalid_query(f"{table.resource['id']} is not a TABLE: views cannot be changed")
            )
        modifier = Modifier(
            statement,
            query.node,
            table,
            path,
            lambda sql, tables=None, types=None: self.select(sql, session, tables, types),
        )
        changes = modifier.changes()
        self._replace(table, changes.apply(table), session)
        return Outcome(DML[statement.node.DESCRIPTOR.name], affected=changes.count, table=table)

    def _truncate(self, statement, session) -> Outcome:
        path = path_of(statement.node.target_path)
        self.judged(statement.sql, session, also=[path])
        table = self._lookup(path, session)
        self._replace(table, table.with_cells([[] for _ in table.fields]), session)
        return Outcome("TRUNCATE_TABLE", affected=table.count, table=table)

    def _replace(self, old: Table, new: Table, session: Session):
        if old.key[0] == TEMPORARY:
            session.temporary[old.key[1]] = new
        elif new is not old:
            self.warehouse.put(new.with_resource(lastModifiedTime=milliseconds()))

    # -------------------------------------------------------------- scripting

    def _value(self, expression: str, session: Session, kind=None) -> tuple:
        """Type and value of an expression, of a given type if any."""
        types = None if kind is None else [kind]
        result = self.select(f"select {expression}", session, types=types)
        return result.columns[0][1] if kind is None else kind, result_value(result)

    def _declare(self, statement, session) -> Outcome:
        kind = None
        if statement.node.HasField("type"):
            name = statement.slice(statement.node.type)
            kind = self.judged(f"select cast(null as {name})", session).columns[0][1]
        value = value_proto(None, kind)
        if statement.node.HasField("default_value"):
            kind, value = self._value(statement.slice(statement.node.default_value), session, kind)
        for name in statement.node.variable_list.identifier_list:
            session.variables = {**session.variables, name.id_string: (kind, value)}
        return Outcome("DECLARE")

    def _assign(self, statement, session) -> Outcome:
        name = self._variable(statement.node.variable.id_string, session)
        kind, value = self._value(
            statement.slice(statement.node.expression), session, session.variables[name][0]
        )
        session.variables = {**session.variables, name: (kind, value)}
        return Outcome("SET")

    def _assign_struct(self, statement, session) -> Outcome:
        kind, value = self._value(statement.slice(statement.node.struct_expression), session)
        names = [
            self._variable(n.id_string, session) for n in statement.node.variables.identifier_list
        ]
        for name, part in zip(names, value.struct_value.field, strict=True):
            kind = session.variables[name][0]
            session.variables = {**session.variables, name: (kind, part)}
        return Outcome("SET")

    def _variable(self, name: str, session: Session) -> str:
        for known in session.variables:
            if known.lower() == name.lower():
                return known
        raise self.judge.reject(invalid_query(f"Undeclared variable: {name}"))

    def _assert(self, statement, session) -> Outcome:
        self.judged(statement.sql, session)
        _, value = self._value(statement.slice(statement.node.expr), session)
        if not value.bool_value:
            message = (
                attributes(statement.node.description).get("string_value")
                if statement.node.HasField("description")
                else ""
            )
            raise invalid_query(message or "Assertion failed")
        return Outcome("ASSERT")

    def _begin(self, statement, session) -> Outcome:
        if session.before is not None:
            raise self.judge.reject(
                invalid_query(
                    "Transaction is already in progress; nested transactions are not supported"
                )
            )
        session.before = self.warehouse.snapshot(), dict(session.temporary)
        return Outcome("BEGIN_TRANSACTION")

    def _commit(self, statement, session) -> Outcome:
        self._need_transaction(session)
        session.before = None
        return Outcome("COMMIT_TRANSACTION")

    def _rollback(self, statement, session) -> Outcome:
        self._need_transaction(session)
        self._undo(session)
        return Outcome("ROLLBACK_TRANSACTION")

    def _need_transaction(self, session: Session):
        if session.before is None:
            raise self.judge.reject(
                invalid_query("Transaction control statement without a transaction in progress")
            )

    def _undo(self, session: Session):
        if session.before is not None:
            self.warehouse.restore(session.before[0])
            session.temporary = session.before[1]
            session.before = None

    def _key(self, path: tuple, session: Session) -> tuple[str, str]:
        key = self.warehouse.key(path, session.default_dataset)
        self.warehouse.dataset(key[0])
        return key


def result_value(result: Result):
    """The single value of a query of one row and one column, as ZetaSQL's value."""
    return TableData.Row.FromString(result.cells[0][0]).cell[0]


def name_parameters(sql: str, statements, parameters: tuple) -> tuple[str, tuple]:
    """Give names to `?`: the service that runs queries knows parameters by name only."""
    marks = {
        text_range(each) for tree in statements for each in nodes(tree, "ASTParameterExprProto")
    }
    if len(marks) != len(parameters):
        raise invalid_query(
            f"Query needs {len(marks)} positional parameters, got {len(parameters)}"
        )
    text, named = sql.encode(), []
    for number, (start, end) in sorted(enumerate(sorted(marks)), reverse=True):
        text = text[:start] + f"@p{number}".encode() + text[end:]
        named.append((f"p{number}", *parameters[number][1:]))
    return text.decode(), tuple(named)


def path_of(node) -> tuple[str, ...]:
    return tuple(name.id_string for name in leaf(node).names)


def definition_field(definition) -> dict:
    """The REST field of a column in a CREATE statement."""
    made = field_of(definition.name, definition.type)
    notes = definition.annotations
    if notes.not_null and made["mode"] == "NULLABLE":
        made["mode"] = "REQUIRED"
    if notes.HasField("type_parameters"):
        numeric = notes.type_parameters.numeric_type_parameters
        if numeric.precision:
            made |= {"precision": str(numeric.precision), "scale": str(numeric.scale)}
        if notes.type_parameters.string_type_parameters.max_length:
            made["maxLength"] = str(notes.type_parameters.string_type_parameters.max_length)
    return made | options({"option_list": notes.option_list})


def options(found: dict) -> dict:
    """OPTIONS(...) as entries of a REST resource."""
    names = {
        "description": "description",
        "friendly_name": "friendlyName",
        "require_partition_filter": "requirePartitionFilter",
        "labels": "labels",
        "location": "location",
        "expiration_timestamp": "expirationTime",
        "policy_tags": "policyTags",
    }
    result = {}
    for option in found.get("option_list", ()):
        if option.name not in names:
            continue
        value = literal(option.value)
        if value is None:  # NULL takes an option away; an expiry in the future changes nothing here
            pass
        elif option.name == "labels":
            value = dict(value)
        elif option.name == "policy_tags":
            value = {"names": value}
        elif option.name == "expiration_timestamp":
            value = str(int(value.timestamp() * 1000))
        result[names[option.name]] = value
    return result


def literal(expression):
    """The Python value of a constant in OPTIONS; None for what must be computed."""
    node = leaf(expression)
    if node.DESCRIPTOR.name == "ResolvedLiteralProto":
        return python_value(node.value.value, node.value.type)
    found = attributes(node)
    if checks.function_name(node) == "$make_array":
        return [literal(each) for each in found["argument_list"]]
    if "field_list" in found:
        return tuple(literal(each) for each in found["field_list"])
    return None

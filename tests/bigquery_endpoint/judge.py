"""ZetaSQL's analyser set up to accept and reject what BigQuery does."""

import re
from collections import OrderedDict
from functools import cached_property

from google.protobuf.message import Message
from zetasql.core.exceptions import ServerError
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import function_pb2, options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
from zetasql.wasi._pb2.zetasql.public.function_pb2 import (
    ARG_TYPE_ANY_1,
    ARG_TYPE_ANY_2,
    FunctionEnums,
)
from zetasql.wasi._pb2.zetasql.resolved_ast.resolved_node_kind_pb2 import ResolvedNodeKind

from .errors import BigQueryError, invalid_query
from .report import Report
from .types import KINDS, parse_type
from .zetasql_client import ZetaSQL

# language features that BigQuery does not have: each would let other SQL through
NOT_IN_BIGQUERY = [
    "BRACED_PROTO_CONSTRUCTORS",
    "DISALLOW_GROUP_BY_FLOAT",
    "EXTENDED_TYPES",
    "JSON_TYPE_COMPARISON",
    "MAP_TYPE",
    "MULTILEVEL_AGGREGATION",
    "PIPE_ASSERT",
    "PIPE_CREATE_TABLE",
    "PIPE_FORK",
    "PIPE_IF",
    "PIPE_INSERT",
    "PIPE_LOG",
    "PIPE_TEE",
    "PROTO_BASE",
    "SPANNER_LEGACY_DDL",
    "TIMESTAMP_NANOS",
    "TIMESTAMP_PICOS",
    "TOP_LEVEL_TABLE_STATEMENTS",
    "UUID_TYPE",
    "V_1_3_ARRAY_ORDERING",
    "V_1_3_DML_RETURNING",
    "V_1_3_REPEAT",
    "V_1_4_ARRAY_FIND_FUNCTIONS",
    "V_1_4_ARRAY_ZIP",
    "V_1_4_BARE_ARRAY_ACCESS",
    "V_1_4_DOT_PRODUCT",
    "V_1_4_ENABLE_MEASURES",
    "V_1_4_FIRST_AND_LAST_N",
    "V_1_4_IMPLICIT_COERCION_STRING_LITERAL_TO_BYTES",
    "V_1_4_LIKE_ANY_SOME_ALL_ARRAY",
    "V_1_4_LITERAL_CONCATENATION",
    "V_1_4_MANHATTAN_DISTANCE",
    "V_1_4_MULTILEVEL_AGGREGATION",
    "V_1_4_NULLIFZERO_ZEROIFNULL",
    "V_1_4_PI_FUNCTIONS",
    "V_1_4_SQL_GRAPH",
    "V_1_4_SQL_GRAPH_ADVANCED_QUERY",
    "V_1_4_STRUCT_BRACED_CONSTRUCTORS",
    "V_1_4_STRUCT_POSITIONAL_ACCESSOR",
    "V_1_4_WITH_EXPRESSION",
]
ALSO_IN_BIGQUERY = ["V_1_3_ALLOW_DASHES_IN_TABLE_NAME", "DISABLE_OUTER_JOIN_ARRAY"]
# what may stand in OPTIONS(...); None: a type that the analyser need not check
OPTIONS = {
    "description": "STRING",
    "friendly_name": "STRING",
    "labels": None,
    "expiration_timestamp": "TIMESTAMP",
    "partition_expiration_days": "FLOAT64",
    "require_partition_filter": "BOOL",
    "kms_key_name": "STRING",
    "default_rounding_mode": "STRING",
    "rounding_mode": "STRING",
    "enable_change_history": "BOOL",
    "max_staleness": "INTERVAL",
    "enable_refresh": "BOOL",
    "refresh_interval_minutes": "FLOAT64",
    "privacy_policy": "STRING",
    "policy_tags": "ARRAY<STRING>",
    "location": "STRING",
    "default_table_expiration_days": "FLOAT64",
    "default_partition_expiration_days": "FLOAT64",
    "storage_billing_model": "STRING",
    "is_case_insensitive": "BOOL",
    "max_time_travel_hours": "INT64",
}
KEPT_CATALOGS = 64
SYNONYMS = ("BIGINT", "BYTEINT", "INT", "INTEGER", "SMALLINT", "TINYINT")  # of INT64
SYSTEM_VARIABLES = {
    "project_id": "STRING",
    "dataset_id": "STRING",
    "time_zone": "STRING",
    "row_count": "INT64",
}


class Judge:
    """Parses and analyses statements; raises BigQueryError with ZetaSQL's own message."""

    def __init__(self, zetasql: ZetaSQL, report: Report):
        self.zetasql, self.report = zetasql, report
        self._registered: dict[str, tuple] = {}  # name -> (instance, stamp, number)
        self._kept: OrderedDict[tuple, int] = OrderedDict()  # catalogs by content

    @cached_property
    def language(self) -> options_pb2.LanguageOptionsProto:
        everything = self.zetasql.call(
            "GetLanguageOptions",
            service.LanguageOptionsRequest(maximum_features=True),
            options_pb2.LanguageOptionsProto,
        )
        number = dict(public.LanguageFeature.items())
        features = set(everything.enabled_language_features)
        features -= {number[f"FEATURE_{name}"] for name in NOT_IN_BIGQUERY}
        features |= {number[f"FEATURE_{name}"] for name in ALSO_IN_BIGQUERY}
        return options_pb2.LanguageOptionsProto(
            name_resolution_mode=public.NAME_RESOLUTION_DEFAULT,
            product_mode=public.PRODUCT_EXTERNAL,
            enabled_language_features=sorted(features),
            supported_statement_kinds=[
                number for name, number in ResolvedNodeKind.items() if name.endswith("_STMT")
            ],
            reserved_keywords=["QUALIFY"],
        )

    @cached_property
    def options(self) -> options_pb2.AnalyzerOptionsProto:
        options = options_pb2.AnalyzerOptionsProto(
            language_options=self.language,
            default_timezone="UTC",
            error_message_mode=public.ERROR_MESSAGE_ONE_LINE,
            preserve_column_aliases=True,
            prune_unused_columns=True,
            parse_location_record_type=public.PARSE_LOCATION_RECORD_CODE_SEARCH,
        )
        allowed = options.allowed_hints_and_options
        allowed.disallow_unknown_options = True
        for name, kind in OPTIONS.items():
            option = allowed.option.add(name=name)
            if kind:
                option.type.CopyFrom(parse_type(kind))
        for name, kind in SYSTEM_VARIABLES.items():
            options.system_variables.add(name_path=[name]).type.CopyFrom(parse_type(kind))
        return options

    @cached_property
    def _extra_functions(self) -> list[function_pb2.FunctionProto]:
        """MAX_BY and MIN_BY, which BigQuery has on top of ZetaSQL's own functions."""
        functions = []
        for name in ("max_by", "min_by"):
            function = function_pb2.FunctionProto(
                name_path=[name], group="BigQuery", mode=FunctionEnums.AGGREGATE
            )
            signature = function.signature.add()
            for kind in (ARG_TYPE_ANY_1, ARG_TYPE_ANY_2):
                signature.argument.add(kind=kind, num_occurrences=-1).options.SetInParent()
            signature.return_type.kind = ARG_TYPE_ANY_1
            signature.return_type.options.SetInParent()
            functions.append(function)
        return functions

    def parse(self, sql: str) -> list[Message]:
        """The statements of a script, each as ZetaSQL's syntax tree."""
        request = service.ParseRequest(sql_statement=sql, options=self.language, allow_script=True)
        try:
            script = self.zetasql.call("Parse", request, service.ParseResponse).parsed_script
        except ServerError as error:
            self.report.judged += 1
            raise self._rejection(error) from None
        return [leaf(each) for each in script.statement_list_node.statement_list]

    def table_names(self, sql: str) -> list[tuple[str, ...]]:
        """The paths of the tables that a statement names, without its own WITH names."""
        request = service.ExtractTableNamesFromStatementRequest(
            sql_statement=sql, options=self.language
        )
        response = service.ExtractTableNamesFromStatementResponse
        try:
            answer = self.zetasql.call("ExtractTableNamesFromStatement", request, response)
        except ServerError as error:
            raise self._rejection(error) from None
        return [tuple(name.table_name_segment) for name in answer.table_name]

    def catalog(self, tables: dict, variables: dict) -> simple_catalog_pb2.SimpleCatalogProto:
        """A catalog of all functions, some tables and some script variables.

        tables: path -> (full name, columns as (name, type), names of those that `select *` omits);
        variables: name -> (type, value).
        """
        catalog = simple_catalog_pb2.SimpleCatalogProto(name="root")
        catalog.builtin_function_options.language_options.CopyFrom(self.language)
        catalog.custom_function.extend(self._extra_functions)
        for name in SYNONYMS:
            catalog.named_type.add(name=name).type.type_kind = KINDS["INT64"]
        folders = {(): catalog}
        for number, (path, (full_name, columns, pseudo)) in enumerate(tables.items(), 1):
            for depth in range(1, len(path)):
                if path[:depth] not in folders:
                    folder = folders[path[: depth - 1]].catalog.add(name=path[depth - 1])
                    folders[path[:depth]] = folder
            table = folders[path[:-1]].table.add(
                name=path[-1], serialization_id=number, full_name=full_name
            )
            for name, kind in columns:
                table.column.add(
                    name=name, type=kind, is_writable_column=True, is_pseudo_column=name in pseudo
                )
        for name, (kind, value) in variables.items():
            catalog.constant.add(name_path=[name], type=kind, value=value)
        return catalog

    def registered(self, name: str, stamp, make) -> int:
        """The number of a catalog kept within ZetaSQL, which makes all use of it cheap.

        It is made anew when its stamp differs from the last one's or the instance was lost.
        """
        instance = self.zetasql.instances
        known = self._registered.get(name)
        if known is None or known[:2] != (instance, stamp):
            if known:
                self._unregister(known[0], known[2])
            self._registered[name] = instance, stamp, self._register(make())
        return self._registered[name][2]

    def kept_catalog(self, tables: dict, variables: dict) -> int:
        """The number of such a catalog (see `catalog`), kept from its last use or made.

        Making one takes five times as long as judging an ordinary statement, and the statements of
        a script, like all loads into the ledger, are about the same few tables.
        """
        described = tuple(
            (
                path,
                full_name,
                *((name, kind.SerializeToString()) for name, kind in columns),
                *pseudo,
            )
            for path, (full_name, columns, pseudo) in tables.items()
        )
        given = tuple(
            (name, kind.SerializeToString(), value.SerializeToString())
            for name, (kind, value) in variables.items()
        )
        key = self.zetasql.instances, described, given
        if key not in self._kept:
            if len(self._kept) >= KEPT_CATALOGS:
                (instance, *_), number = self._kept.popitem(last=False)
                self._unregister(instance, number)
            self._kept[key] = self._register(self.catalog(tables, variables))
        self._kept.move_to_end(key)
        return self._kept[key]

    def _register(self, catalog: simple_catalog_pb2.SimpleCatalogProto) -> int:
        request = service.RegisterCatalogRequest(simple_catalog=catalog)
        return self.zetasql.call("RegisterCatalog", request, service.RegisterResponse).registered_id

    def _unregister(self, instance: int, number: int) -> None:
        if instance == self.zetasql.instances:  # else it went with its instance
            request = service.UnregisterRequest(registered_id=number)
            self.zetasql.call("UnregisterCatalog", request)

    def analyze(self, sql: str, catalog, parameters=()) -> Message:
        """The resolved statement (its outermost concrete node).

        catalog: as a message or by its number; parameters: (name, type, value).
        """
        self.report.judged += 1
        request = service.AnalyzeRequest(
            sql_statement=sql, options=self.with_parameters(parameters), **in_catalog(catalog)
        )
        try:
            answer = self.zetasql.call("Analyze", request, service.AnalyzeResponse)
        except ServerError as error:
            raise self._rejection(error) from None
        return leaf(answer.resolved_statement)

    def with_parameters(self, parameters) -> options_pb2.AnalyzerOptionsProto:
        if not parameters:
            return self.options
        options = options_pb2.AnalyzerOptionsProto()
        options.CopyFrom(self.options)
        for name, kind, _ in parameters:
            options.query_parameters.add(name=name, type=kind)
        return options

    def reject(self, error: BigQueryError) -> BigQueryError:
        """Count a rejection that is not the analyser's own."""
        self.report.rejected += 1
        return error

    def _rejection(self, error: ServerError) -> BigQueryError:
        message = re.sub(r"^Code: \d+, Message: ", "", error.raw_error)
        return self.reject(invalid_query(message))


def in_catalog(catalog) -> dict:
    """The field of a request that says which catalog it is about."""
    field = "registered_catalog_id" if isinstance(catalog, int) else "simple_catalog"
    return {field: catalog}


def split_quoted_paths(sql: str) -> str:
    """`a.b.c` as `a`.`b`.`c`: BigQuery reads both alike, ZetaSQL takes the first as one name.

    Only names in backticks are touched; texts in quotes and comments stay as they are.
    """
    texts = r"""'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
    comments = r"--[^\n]*|\#[^\n]*|/\*.*?\*/"
    pattern = re.compile(rf"({texts}|{comments})|`([^`]+)`", re.S)

    def split(match):
        if match[1] is not None or "." not in match[2] or "/" in match[2]:
            return match[0]
        return ".".join(f"`{part}`" for part in match[2].split("."))

    return pattern.sub(split, sql)


def leaf(message: Message) -> Message:
    """The concrete node within ZetaSQL's nested "any of" wrappers."""
    while oneofs := message.DESCRIPTOR.oneofs:
        which = message.WhichOneof(oneofs[0].name)
        if which is None or not isinstance(getattr(message, which), Message):
            break
        message = getattr(message, which)
    return message


def attributes(node: Message) -> dict:
    """All fields of a node that are set, with those that it inherits (as `parent` messages)."""
    found = {}
    while True:
        for field, value in node.ListFields():
            if field.name != "parent":
                found.setdefault(field.name, value)
        if "parent" not in node.DESCRIPTOR.fields_by_name or not node.HasField("parent"):
            return found
        node = node.parent


def text_range(node: Message) -> tuple[int, int] | None:
    """Where a node stands in the statement, in bytes."""
    node = leaf(node)
    while "parse_location_range" not in node.DESCRIPTOR.fields_by_name:
        node = node.parent
    place = node.parse_location_range
    return (place.start, place.end) if node.HasField("parse_location_range") else None


LEAVES = {"ResolvedColumnProto", "TypeProto", "ValueWithTypeProto", "ParseLocationRangeProto"}


def nodes(message: Message, *kinds: str):
    """All messages of some type names below (and including) a message."""
    if message.DESCRIPTOR.name in kinds:
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.name not in LEAVES:
            for child in value if field.is_repeated else (value,):
                yield from nodes(child, *kinds)

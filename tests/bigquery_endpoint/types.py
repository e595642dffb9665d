"""Types and values between BigQuery's REST API, ZetaSQL's protobufs, Python and DuckDB.

A *field* is a column as the REST API describes it: {"name", "type", "mode", "fields", ...}.
A *cell* is one value in the form that ZetaSQL's table contents take it, so that rows pass from one
query to the next without being converted.
"""

import base64
import datetime as dt
import json
import re
from decimal import ROUND_HALF_UP, Context, Decimal

from zetasql.wasi._pb2.zetasql.local_service.local_service_pb2 import TableData
from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeKind, TypeProto
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

from .errors import BigQueryError

# standard SQL name -> ZetaSQL kind; INT64 and the like are what the messages say
KINDS = {
    "INT64": TypeKind.TYPE_INT64,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "BOOL": TypeKind.TYPE_BOOL,
} | {
    name: TypeKind.Value(f"TYPE_{name}")
    for name in [
        "STRING",
        "BYTES",
        "DATE",
        "TIMESTAMP",
        "DATETIME",
        "TIME",
        "NUMERIC",
        "BIGNUMERIC",
        "JSON",
        "INTERVAL",
        "GEOGRAPHY",
    ]
}
NAMES = {kind: name for name, kind in KINDS.items()}
SYNONYMS = {
    "INTEGER": "INT64",
    "INT": "INT64",
    "BIGINT": "INT64",
    "SMALLINT": "INT64",
    "TINYINT": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
LEGACY = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}  # the REST API's names
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY_ZERO = dt.date(1970, 1, 1)
MICROSECOND = dt.timedelta(microseconds=1)
EXACT = Context(prec=100)
NULL_CELL = b"\x0a\x00"


def type_of(field: dict) -> TypeProto:
    """ZetaSQL's type of a REST field."""
    if field.get("mode") == "REPEATED":
        proto = TypeProto(type_kind=TypeKind.TYPE_ARRAY)
        proto.array_type.element_type.CopyFrom(type_of({**field, "mode": "NULLABLE"}))
        return proto
    name = field["type"].upper()
    if name in ("RECORD", "STRUCT"):
        proto = TypeProto(type_kind=TypeKind.TYPE_STRUCT)
        proto.struct_type.SetInParent()
        for part in field["fields"]:
            member = proto.struct_type.field.add(field_name=part["name"])
            member.field_type.CopyFrom(type_of(part))
        return proto
    name = SYNONYMS.get(name, name)
    if name not in KINDS:
        raise BigQueryError(400, "invalid", f"Invalid value for type: {field['type']}")
    return TypeProto(type_kind=KINDS[name])


def field_of(name: str, proto: TypeProto) -> dict:
    """The REST field of a ZetaSQL type."""
    field = {"name": name, "mode": "NULLABLE"}
    if proto.type_kind == TypeKind.TYPE_ARRAY:
        field["mode"] = "REPEATED"
        proto = proto.array_type.element_type
    if proto.type_kind == TypeKind.TYPE_STRUCT:
        members = enumerate(proto.struct_type.field, 1)
        parts = [field_of(m.field_name or f"_field_{i}", m.field_type) for i, m in members]
        return field | {"type": "RECORD", "fields": parts}
    kind = NAMES.get(proto.type_kind)
    if kind is None:
        raise BigQueryError(400, "invalidQuery", f"Unsupported type of column {name}")
    return field | {"type": LEGACY.get(kind, kind)}


def sql_type(proto: TypeProto) -> str:
    """The type as BigQuery's SQL writes it, as in ARRAY<STRUCT<a INT64>>."""
    if proto.type_kind == TypeKind.TYPE_ARRAY:
        return f"ARRAY<{sql_type(proto.array_type.element_type)}>"
    if proto.type_kind == TypeKind.TYPE_STRUCT:
        members = (f"{m.field_name} {sql_type(m.field_type)}" for m in proto.struct_type.field)
        return f"STRUCT<{', '.join(map(str.strip, members))}>"
    return NAMES[proto.type_kind]


def parse_type(text: str) -> TypeProto:
    """The inverse of `sql_type`, for tables declared in this package."""
    if text.startswith("ARRAY<"):
        proto = TypeProto(type_kind=TypeKind.TYPE_ARRAY)
        proto.array_type.element_type.CopyFrom(parse_type(text[6:-1]))
        return proto
    return TypeProto(type_kind=KINDS[SYNONYMS.get(text, text)])


# ---------------------------------------------------------------------------- values


def value_proto(value, proto: TypeProto) -> ValueProto:
    """A Python value as ZetaSQL's value of that type. Raises ValueError, TypeError, KeyError."""
    kind = proto.type_kind
    result = ValueProto()
    if value is None:
        return result
    if kind == TypeKind.TYPE_INT64:
        result.int64_value = int(value)
    elif kind == TypeKind.TYPE_STRING:
        result.string_value = str(value)
    elif kind == TypeKind.TYPE_DOUBLE:
        result.double_value = float(value)
    elif kind == TypeKind.TYPE_BOOL:
        result.bool_value = bool(value)
    elif kind == TypeKind.TYPE_BYTES:
        result.bytes_value = bytes(value)
    elif kind == TypeKind.TYPE_JSON:
        result.json_value = value if isinstance(value, str) else json.dumps(value)
    elif kind == TypeKind.TYPE_DATE:
        day = value.date() if isinstance(value, dt.datetime) else value
        result.date_value = (day - DAY_ZERO).days
    elif kind == TypeKind.TYPE_TIMESTAMP:
        instant = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        micros = (instant - EPOCH) // MICROSECOND
        result.timestamp_value.seconds = micros // 1_000_000
        result.timestamp_value.nanos = micros % 1_000_000 * 1000
        result.timestamp_value.SetInParent()
    elif kind == TypeKind.TYPE_DATETIME:
        result.datetime_value.bit_field_datetime_seconds = (
            value.year << 26 | value.month << 22 | value.day << 17 | _clock_bits(value)
        )
        result.datetime_value.nanos = value.microsecond * 1000
    elif kind == TypeKind.TYPE_TIME:
        result.time_value = _clock_bits(value) << 30 | value.microsecond * 1000
    elif kind == TypeKind.TYPE_NUMERIC:
        result.numeric_value = _decimal_bytes(value, 9)
    elif kind == TypeKind.TYPE_BIGNUMERIC:
        result.bignumeric_value = _decimal_bytes(value, 38)
    elif kind == TypeKind.TYPE_ARRAY:
        result.array_value.SetInParent()
        element = proto.array_type.element_type
        result.array_value.element.extend(value_proto(each, element) for each in value)
    elif kind == TypeKind.TYPE_STRUCT:
        result.struct_value.SetInParent()
        parts = value.values() if isinstance(value, dict) else value
        for part, member in zip(parts, proto.struct_type.field, strict=True):
            result.struct_value.field.append(value_proto(part, member.field_type))
    else:
        raise TypeError(f"no values of type {sql_type(proto)} here")
    return result


def python_value(value: ValueProto, proto: TypeProto):
    """The inverse of `value_proto`; a struct becomes a tuple."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    raw = getattr(value, which)
    kind = proto.type_kind
    if kind == TypeKind.TYPE_TIMESTAMP:
        return EPOCH + dt.timedelta(seconds=raw.seconds, microseconds=raw.nanos // 1000)
    if kind == TypeKind.TYPE_DATE:
        return DAY_ZERO + dt.timedelta(days=raw)
    if kind == TypeKind.TYPE_NUMERIC:
        return _decimal(raw, 9)
    if kind == TypeKind.TYPE_BIGNUMERIC:
        return _decimal(raw, 38)
    if kind == TypeKind.TYPE_DATETIME:
        bits = raw.bit_field_datetime_seconds
        return dt.datetime(
            bits >> 26, bits >> 22 & 15, bits >> 17 & 31, *_clock(bits), raw.nanos // 1000
        )
    if kind == TypeKind.TYPE_TIME:
        return dt.time(*_clock(raw >> 30), (raw & (1 << 30) - 1) // 1000)
    if kind == TypeKind.TYPE_ARRAY:
        element = proto.array_type.element_type
        return [python_value(each, element) for each in raw.element]
    if kind == TypeKind.TYPE_STRUCT:
        members = proto.struct_type.field
        return tuple(python_value(v, m.field_type) for v, m in zip(raw.field, members, strict=True))
    return raw


def _clock_bits(value) -> int:
    return value.hour << 12 | value.minute << 6 | value.second


def _clock(bits: int) -> tuple[int, int, int]:
    return bits >> 12 & 31, bits >> 6 & 63, bits & 63


def _decimal_bytes(value, scale: int) -> bytes:
    scaled = EXACT.scaleb(Decimal(value), scale).to_integral_value(ROUND_HALF_UP, EXACT)
    number = int(scaled)
    return number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)


def _decimal(raw: bytes, scale: int) -> Decimal:
    return EXACT.scaleb(Decimal(int.from_bytes(raw, "little", signed=True)), -scale)


# ---------------------------------------------------------------------------- cells


def length_prefix(size: int) -> bytes:
    """A protobuf varint."""
    if size < 128:
        return bytes((size,))
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out)


def cell_of(value: ValueProto) -> bytes:
    """A value as a cell: the field `cell` of a protobuf row, ready to be joined to others."""
    body = value.SerializeToString()
    return b"\x0a" + length_prefix(len(body)) + body


def encode(values, proto: TypeProto) -> list[bytes]:
    """A column of Python values as cells."""
    if proto.type_kind in (TypeKind.TYPE_ARRAY, TypeKind.TYPE_STRUCT, TypeKind.TYPE_JSON):
        return [cell_of(value_proto(value, proto)) for value in values]
    known = {None: NULL_CELL}
    cells = []
    for value in values:
        key = (
            (value, str(value)) if isinstance(value, float | Decimal) else value
        )  # 0.0 is not -0.0
        if key not in known:
            known[key] = cell_of(value_proto(value, proto))
        cells.append(known[key])
    return cells


def decode(cells, proto: TypeProto) -> list:
    """The inverse of `encode`."""
    known = {}
    for cell in cells:
        if cell not in known:
            known[cell] = python_value(TableData.Row.FromString(cell).cell[0], proto)
    return [known[cell] for cell in cells]


def fit(cells: list[bytes], field: dict) -> list[bytes]:
    """Cells as a column of declared length or precision keeps them; BigQuery's error if not."""
    if field.get("mode") == "REQUIRED" and NULL_CELL in cells:
        raise BigQueryError(400, "invalidQuery", f"Required field {field['name']} cannot be null")
    if not field.keys() & {"precision", "maxLength"} or field.get("mode") == "REPEATED":
        return cells
    proto = type_of(field)
    values = decode(cells, proto)
    if "maxLength" in field:
        if any(value is not None and len(value) > int(field["maxLength"]) for value in values):
            raise BigQueryError(
                400, "invalidQuery", f"{field['name']} has maximum length {field['maxLength']}"
            )
        return cells
    scale = int(field.get("scale", 0))
    step = Decimal(1).scaleb(-scale)
    limit = Decimal(10) ** (int(field["precision"]) - scale)
    rounded = [v if v is None else v.quantize(step, ROUND_HALF_UP, EXACT) for v in values]
    if any(value is not None and abs(value) >= limit for value in rounded):
        declared = f"precision {field['precision']} and scale {scale}"
        message = f"{field['name']} has {declared} but got a value that is out of range"
        raise BigQueryError(400, "invalidQuery", message)
    return encode(rounded, proto)


# ---------------------------------------------------------------------------- JSON of the REST API


def to_json(value, field: dict):
    """A Python value as the REST API sends it."""
    if field.get("mode") == "REPEATED":
        single = {**field, "mode": "NULLABLE"}
        return [{"v": to_json(each, single)} for each in value or []]
    if value is None:
        return None
    kind = field["type"]
    if kind == "RECORD":
        parts = zip(value, field["fields"], strict=True)
        return {"f": [{"v": to_json(part, member)} for part, member in parts]}
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "TIMESTAMP":
        return str((value - EPOCH) // MICROSECOND)
    if kind in ("DATETIME", "TIME"):
        return value.isoformat()
    if kind == "BYTES":
        return base64.b64encode(value).decode()
    if kind in ("NUMERIC", "BIGNUMERIC"):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if kind == "FLOAT":
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), repr(value))
    return str(value)


def parameter_type(declared: dict) -> TypeProto:
    """The type of a query parameter as the REST API declares it (`parameterType`)."""
    if declared["type"] == "ARRAY":
        proto = TypeProto(type_kind=TypeKind.TYPE_ARRAY)
        proto.array_type.element_type.CopyFrom(parameter_type(declared["arrayType"]))
        return proto
    if declared["type"] == "STRUCT":
        proto = TypeProto(type_kind=TypeKind.TYPE_STRUCT)
        for part in declared["structTypes"]:
            member = proto.struct_type.field.add(field_name=part.get("name", ""))
            member.field_type.CopyFrom(parameter_type(part["type"]))
        return proto
    return type_of({"type": declared["type"]})


def parameter_value(given: dict, proto: TypeProto):
    """The Python value of a query parameter as the REST API sends it (`parameterValue`)."""
    if proto.type_kind == TypeKind.TYPE_ARRAY:
        element = proto.array_type.element_type
        return [parameter_value(each, element) for each in given.get("arrayValues", [])]
    if proto.type_kind == TypeKind.TYPE_STRUCT:
        values = given.get("structValues", {})
        return tuple(
            parameter_value(values[m.field_name], m.field_type) for m in proto.struct_type.field
        )
    text = given.get("value")
    return None if text is None else from_text(str(text), proto)


def from_text(text: str, proto: TypeProto):
    """A value written as text in a parameter or a CSV file. Raises ValueError."""
    kind = proto.type_kind
    if kind == TypeKind.TYPE_BOOL:
        word = text.strip().lower()
        if word not in ("true", "t", "yes", "y", "1", "false", "f", "no", "n", "0"):
            raise ValueError(f"Could not parse '{text}' as BOOL")
        return word in ("true", "t", "yes", "y", "1")
    if kind == TypeKind.TYPE_BYTES:
        return base64.b64decode(text)
    if kind == TypeKind.TYPE_DATE:
        return dt.date.fromisoformat(text)
    if kind == TypeKind.TYPE_TIMESTAMP:
        instant = dt.datetime.fromisoformat(re.sub(r" ?UTC$", "+00:00", text))
        return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)
    if kind == TypeKind.TYPE_DATETIME:
        return dt.datetime.fromisoformat(text)
    if kind == TypeKind.TYPE_TIME:
        return dt.time.fromisoformat(text)
    if kind in (TypeKind.TYPE_NUMERIC, TypeKind.TYPE_BIGNUMERIC):
        try:
            return Decimal(text)
        except ArithmeticError:
            raise ValueError(f"Could not parse '{text}' as NUMERIC") from None
    if kind == TypeKind.TYPE_INT64:
        return int(text)
    if kind == TypeKind.TYPE_DOUBLE:
        return float(text)
    return text

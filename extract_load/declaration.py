"""What a source is: one YAML file, validated down to file and line before anything is read."""

import os
import re
import zoneinfo
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from extract_load.readers.rest.grammar import Client, Endpoint

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
ColumnType = Literal["string", "bigint", "numeric", "boolean", "date", "timestamp"]
Privacy = Literal["none", "quasi", "sensitive", "pseudonym", "birth_year", "free_text", "drop"]
_AS_IS = ("none", "quasi", "sensitive")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_DURATION = re.compile(r"^(\d+)([smhd])$")
_PERIOD = re.compile(r"^(\d+)([dy])$")


_SCALARS = {"str", "int", "float", "bool", "null", "timestamp"}
# every command reads every source: in C that takes a tenth of two seconds, where libyaml is there
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DeclarationError(Exception):
    """A source declaration that can't be used; the message names file and line, one line each."""


def _duration(value: object) -> object:
    if isinstance(value, str) and (match := _DURATION.match(value)):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
        return timedelta(**{unit: int(match[1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is no duration: write a number and s, m, h or d, as in 10m")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tap(_Strict):
    """A Singer tap: its executable on the PATH, and its settings, which may name variables."""

    executable: str
    config: dict[str, Any] = Field(default_factory=dict)


class Column(_Strict):
    """A column: its type, its privacy class, and how its value is normalised before hashing."""

    name: Identifier
    type: ColumnType
    privacy: Privacy
    normalise: Literal["text", "phone", "email"] = "text"

    @property
    def lands(self) -> bool:
        return self.privacy != "drop"


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"{name!r} is no text encoding") from None
    return name


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(f"{name!r} is no time zone") from None
    return name


def _columns(value: object) -> object:
    """`{phone: string pseudonym(phone)}` -> the columns, in order."""
    if not isinstance(value, dict):
        raise ValueError("columns is a map of column name to 'type privacy_class'")
    columns = []
    for name, text in value.items():
        parts = str(text).split()
        if len(parts) != 2:
            raise ValueError(
                f"column {name}: write its type and its privacy class, as in 'string none'"
                f" (not {text!r})"
            )
        privacy, _, argument = parts[1].rstrip(")").partition("(")
        column = {"name": name, "type": parts[0], "privacy": privacy}
        if argument:
            column["normalise"] = argument
        try:
            columns.append(Column(**column))
        except ValidationError as error:
            problem = error.errors()[0]
            raise ValueError(f"column {name}: {problem['loc'][0]}: {problem['msg']}") from None
    return tuple(columns)


class Owner(_Strict):
    """Whose row it is: `column` is a member's pseudonym, or the key of a row of table `of`, for
    rows whose columns say what `where` says.
    """

    column: Identifier
    of: str | None = None
    where: dict[Identifier, str] = Field(default_factory=dict)


class Keep(_Strict):
    """How long rows are kept: `days` after the day or instant in column `by`, `because` of what.

    A row of table `of`, whose key stands in `column`, goes with that one at the latest.
    """

    days: Annotated[int, Field(alias="for", ge=1)]
    by: Identifier
    because: str
    of: Identifier | None = None
    column: Identifier | None = None

    @field_validator("days", mode="before")
    @classmethod
    def _in_days(cls, value: object) -> object:
        if isinstance(value, str) and (match := _PERIOD.match(value)):
            # a year of 366 days: a day too long breaks no law, a day too short may
            return int(match[1]) * {"d": 1, "y": 366}[match[2]]
        raise ValueError(f"{value!r} is no period: write a number and d or y, as in 5y")


def _owners(value: object) -> object:
    """`member_id`, or a list of such names and of maps like `{column: order_id, of: orders}`."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple({"column": one} if isinstance(one, str) else one for one in values)


class Table(_Strict):
    """A table of a source. Defaults of the source are filled in before validation."""

    name: Identifier
    description: str
    columns: Annotated[tuple[Column, ...], BeforeValidator(_columns)]
    key: tuple[Identifier, ...] = ()
    # reader: database
    mode: Literal["incremental", "full"] = "incremental"
    cursor: Identifier | None = None
    lag: Annotated[timedelta, BeforeValidator(_duration)] = timedelta(0)
    history: bool = False
    deletes: Literal["kept", "compare_keys"] = "kept"
    empty: Literal["refused", "allowed", "marked"] = "refused"
    partition: Identifier | None = None
    # how old the last load may be before `goodoc status` says so
    fresh_within: Annotated[timedelta | None, BeforeValidator(_duration)] = None
    erase_by: Annotated[tuple[Owner, ...], BeforeValidator(_owners)] = ()
    # rows that a law orders to keep stay when their person is erased, without the person
    on_erasure: Literal["delete", "unlink"] = "delete"
    keep: Keep | None = None
    # the column that names people who ask to be erased
    requests_erasure_of: Identifier | None = None
    # reader: rest
    endpoint: Endpoint | None = None
    # reader: singer; the table's name where it isn't this
    stream: str | None = None
    # reader: files
    path: tuple[str, ...] = ()
    name_pattern: str | None = None
    format: Literal["csv", "json", "jsonl", "parquet", "xlsx"] | None = None
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    delimiter: Annotated[str, StringConstraints(pattern=r"^[^\"\r\n\x00]$")] | None = None
    header: dict[str, Identifier] = Field(default_factory=dict)
    optional: tuple[Identifier, ...] = ()  # columns that a file need not have
    # of a workbook: which sheet, by name or counted from 1, and on which of its rows the names are
    sheet: str | Annotated[int, Field(ge=1)] = 1
    header_row: Annotated[int, Field(ge=1)] = 1
    # of a JSON document: where in it the rows are, as in items.item
    rows: str | None = None
    # files younger than this may still be written, and are left for the next run
    settle: Annotated[timedelta, BeforeValidator(_duration)] = timedelta(0)
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    future: Identifier | None = None
    ignored: tuple[str, ...] = ()  # what the source has beside the columns, and nobody wants
    unscanned: tuple[Identifier, ...] = ()

    @field_validator("path", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("path")
    @classmethod
    def _inside_root(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise ValueError(f"{path!r} leaves the source's root folder")
        return paths

    @field_validator("name_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _names_exist(self) -> "Table":
        names = {column.name for column in self.columns if column.lands}
        owners = [name for owner in self.erase_by for name in (owner.column, *owner.where)]
        wanted = (*self.key, self.cursor, self.future, *self.unscanned, *self.optional, *owners)
        wanted += (self.keep.by, self.keep.column) if self.keep else ()
        wanted += (self.requests_erasure_of,)
        for name in (*wanted, *self.name_columns):
            if name is not None and name not in names:
                raise ValueError(f"{name} is not among the columns that land")
        instants = {c.name for c in self.columns if c.type == "timestamp" and c.privacy in _AS_IS}
        if self.partition and self.partition not in instants:
            raise ValueError(f"partition: {self.partition} is no timestamp that lands as it is")
        days = {c.name for c in self.columns if c.type in ("date", "timestamp")}
        if self.keep and self.keep.by not in days:
            raise ValueError(f"keep: {self.keep.by} is neither date nor timestamp")
        return self

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Whose rows go when their people are erased."""
        return self.erase_by if self.on_erasure == "delete" else ()

    @property
    def name_columns(self) -> tuple[str, ...]:
        """Columns whose value stands in the file's name."""
        return tuple(re.compile(self.name_pattern or "").groupindex)

    def theirs(self, name: str) -> str:
        """What the source calls a column."""
        return next((theirs for theirs, ours in self.header.items() if ours == name), name)

    @property
    def landed(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.lands)

    @property
    def has_pseudonyms(self) -> bool:
        return any(column.privacy == "pseudonym" for column in self.columns)

    @property
    def checked_instant(self) -> str | None:
        """The column whose value may not lie in the future."""
        return self.future or self.cursor


# the setting that says where a source of each reader is, and the one that says where in it a table
_PLACE = {"database": "connection", "files": "root", "rest": "client", "singer": "tap"}
_TABLE_PLACE = {"files": "path", "rest": "endpoint"}


class Source(_Strict):
    """A source system: where it is, how it is read, and its tables.

    One that is `optional` is left out while none of the variables that say where it is is set.
    `lines` are the lines of its settings in `file`, by their path.
    """

    source: Identifier
    description: str
    optional: bool = False
    reader: Literal["database", "files", "rest", "singer"]
    connection: str | None = None  # reader: database
    root: str | None = None  # reader: files
    storage: dict[str, Any] = Field(default_factory=dict)  # of a root that is no local folder
    client: Client | None = None  # reader: rest
    tap: Tap | None = None  # reader: singer
    tables: dict[Identifier, Table]
    file: Path
    lines: dict[tuple[str, ...], int]

    @model_validator(mode="after")
    def _place(self) -> "Source":
        wanted = _PLACE[self.reader]
        others = [name for name in _PLACE.values() if name != wanted]
        if getattr(self, wanted) is None or any(getattr(self, name) for name in others):
            raise ValueError(f"reader {self.reader} needs {wanted} (and no {', '.join(others)})")
        for name, table in self.tables.items():
            for reader, place in _TABLE_PLACE.items():
                if self.reader == reader and not getattr(table, place):
                    raise ValueError(f"table {name}: reader {reader} needs {place}")
                if self.reader != reader and getattr(table, place):
                    raise ValueError(f"table {name}: {place} belongs to reader {reader}")
            if table.optional and self.reader != "files":
                raise ValueError(f"table {name}: optional belongs to reader files")
            if self.reader == "database" and table.mode == "incremental":
                if not table.key:
                    raise ValueError(f"table {name}: incremental needs the key of a row")
                if not table.cursor:
                    raise ValueError(f"table {name}: incremental needs a cursor column")
            if table.endpoint and name in self._ancestors(table):
                raise ValueError(f"table {name}: endpoint: it is asked for its own rows")
            if table.history and self.identity(table) == "content":
                raise ValueError(f"table {name}: history needs the key that versions share")
            for owner in table.erase_by:
                source, _, parent = (owner.of or "").rpartition(".")
                if owner.of and not source and not self._can_own(parent):
                    raise ValueError(f"table {name}: erase_by: {parent} has no key and erase_by")
            if table.keep and table.keep.of:
                parent = self.tables.get(table.keep.of)
                if parent is None or parent.keep is None or len(parent.key) != 1:
                    raise ValueError(
                        f"table {name}: keep: {table.keep.of} has no period or no key of one column"
                    )
                if table.keep.column is None:
                    raise ValueError(f"table {name}: keep: say which column holds the key")
        return self

    def _ancestors(self, table: "Table") -> list[str]:
        """Tables whose rows an endpoint is asked for: its parent, the parent's parent …"""
        found: list[str] = []
        while table and table.endpoint and table.endpoint.parent not in (None, *found):
            found.append(table.endpoint.parent)
            table = self.tables.get(table.endpoint.parent)
        return found

    def _can_own(self, name: str) -> bool:
        table = self.tables.get(name)
        return table is not None and bool(table.owners) and self.identity(table) == "key"

    @property
    def schema_name(self) -> str:
        return f"raw_{self.source}"

    def identity(self, table: Table) -> Literal["key", "file", "content"]:
        """What makes a row of the table one and the same row: the business key, the file and its
        line, or all that it says and how many rows have said so before it."""
        if self.reader == "files" or (table.endpoint and table.endpoint.window):
            return "file"
        return "key" if table.key else "content"

    def line(self, *path: object) -> int:
        """The line of a setting, or of the nearest one around it."""
        texts = tuple(map(str, path))
        while texts not in self.lines:
            texts = texts[:-1]
        return self.lines[texts]

    @property
    def place_line(self) -> int:
        """The line that says where the source is."""
        return self.line(_PLACE[self.reader])

    @property
    def place_as_declared(self) -> str:
        """Where the source is, its variables not filled in, so that no secret shows."""
        if self.client:
            return self.client.base_url
        return self.connection or self.root or (self.tap.executable if self.tap else "")

    @property
    def variables(self) -> list[str]:
        """Names of the environment variables that say where the source is and who asks."""
        client = self.client and self.client.model_dump(by_alias=True)
        place = (self.connection, self.root, self.storage, client, self.tap and self.tap.config)
        return list(dict.fromkeys(_VARIABLE.findall(repr(place))))

    @property
    def is_left_out(self) -> bool:
        """Whether the source is optional and nothing of it is set up."""
        return self.optional and not any(os.environ.get(name) for name in self.variables)

    def place(self) -> str:
        """The connection or root with its environment variables filled in; see `filled`."""
        return self.filled(self.connection or self.root or "", _PLACE[self.reader])

    def filled(self, value: Any, *path: object) -> Any:
        """A setting with the environment variables in its texts filled in, maps and lists too.

        Raises DeclarationError, naming file, line and variable, where one is not set.
        """
        if isinstance(value, dict):
            return {name: self.filled(part, *path, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self.filled(part, *path, n) for n, part in enumerate(value)]
        if not isinstance(value, str):
            return value

        def variable(match: re.Match[str]) -> str:
            if not os.environ.get(match[1]):
                raise DeclarationError(
                    f"{self.file}:{self.line(*path)}: environment variable {match[1]} is not set"
                    f" (source {self.source} needs it)"
                )
            return os.environ[match[1]]

        return _VARIABLE.sub(variable, value)


class _Located:
    """A YAML document as plain values, remembering the line of each key; duplicate keys refused."""

    def __init__(self, file: Path):
        self.file = file
        self.lines: dict[tuple[str, ...], int] = {}
        try:
            node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise DeclarationError(f"{file}:{line}: {error.problem}") from None
        if not isinstance(node, yaml.MappingNode):
            raise DeclarationError(f"{file}:1: a source is a map of settings")
        self.value = self._plain(node, ())

    def _plain(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Any] = {}
            for key, value in node.value:
                here = (*path, str(key.value))
                if key.value in found:
                    raise DeclarationError(
                        f"{self.file}:{key.start_mark.line + 1}: {key.value} stands here twice"
                    )
                self.lines[here] = key.start_mark.line + 1
                found[key.value] = self._plain(value, here)
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, str(n))) for n, item in enumerate(node.value)]
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _SCALARS:
            raise DeclarationError(
                f"{self.file}:{node.start_mark.line + 1}: YAML tag {node.tag} is not allowed"
            )
        return yaml.SafeLoader("").construct_object(node)

    def line(self, path: tuple[object, ...]) -> int:
        texts = tuple(str(part) for part in path)
        while texts not in self.lines:
            texts = texts[:-1]
        return self.lines[texts]


def read_source(file: Path) -> Source:
    """One declaration. Raises DeclarationError: one line per mistake, each with file and line."""
    document = _Located(file)
    value = dict(document.value)
    defaults = value.pop("defaults", None) or {}
    tables = value.get("tables")
    if isinstance(tables, dict):
        value["tables"] = {
            name: {"name": name, **_fitting(defaults, table), **table}
            if isinstance(table, dict)
            else table
            for name, table in tables.items()
        }
    try:
        source = Source(**value, file=file, lines=document.lines)
    except ValidationError as error:
        raise DeclarationError(
            "\n".join(_message(document, problem) for problem in error.errors())
        ) from None
    if file.stem != source.source:
        raise DeclarationError(f"{file}:1: source {source.source} belongs in {source.source}.yml")
    return source


def _fitting(defaults: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """A full table has no use for the source's default cursor."""
    if table.get("mode") == "full":
        return {name: value for name, value in defaults.items() if name not in ("cursor", "lag")}
    return defaults


def _message(document: _Located, problem: Any) -> str:
    path = tuple(problem["loc"])
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        text = "unknown setting"
    if named := re.match(r"(?:column|table) (.+?):", text):
        path = (*path, named[1]) if text.startswith("column") else ("tables", named[1])
    where = ".".join(str(part) for part in problem["loc"])
    return f"{document.file}:{document.line(path)}: {where + ': ' if where else ''}{text}"


def read_sources(folder: Path) -> dict[str, Source]:
    """All declarations of a folder by source name. Raises DeclarationError with every mistake."""
    if not folder.is_dir():
        raise DeclarationError(f"{folder}: no such folder of source declarations")
    sources, mistakes = {}, []
    for file in sorted(folder.glob("*.yml")):
        try:
            source = read_source(file)
            sources[source.source] = source
        except DeclarationError as error:
            mistakes.append(str(error))
    if mistakes:
        raise DeclarationError("\n".join(mistakes))
    return sources

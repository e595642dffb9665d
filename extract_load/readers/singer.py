"""Runs Singer taps: any executable that says what it has, and writes it as messages to stdout."""

import copy
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import pyarrow as pa

from extract_load.declaration import Source, Table
from extract_load.readers import ReadError
from extract_load.readers.exact_numbers import unmarked, with_marks

# A slice ends with the first of these, so that a run that is killed loses little.
SLICE_BYTES = 128 * 1024 * 1024
SLICE_SECONDS = 300.0
_CHUNK = 16 * 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_PAUSE = 2.0  # a slow tap's messages are taken after this many seconds, however few they are
_SILENCE = 3600.0  # a tap that says nothing for so long hangs

# Where the system can, a tap dies with us, also when we are killed. Python's own hook for this
# would run between fork and exec, where threads of ours may hold locks.
_START = """
import ctypes, os, sys
try:
    ctypes.CDLL(None).prctl(1, 9)
except (AttributeError, OSError):
    pass
os.execv(sys.argv[1], sys.argv[1:])
"""

# what each executable calls its catalog: asked once, for a tap may take seconds to start
_options: dict[str, list[str]] = {}


# -- the process -----------------------------------------------------------------------------------


class _Process:
    """A tap at work. Its standard error is read aside, its end kept; it dies with the context."""

    def __init__(self, name: str, arguments: list[str], folder: Path):
        self.name = name
        environment = {
            variable: value
            for variable, value in os.environ.items()
            if not variable.startswith("GOODOC_")  # the warehouse's secrets are not the tap's
        }
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _START, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | {"TMPDIR": str(folder)},
            cwd=folder,
            start_new_session=True,
            pipesize=1024 * 1024,
        )
        self._last_words = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._process.stdout is not None
        self._stdout = self._process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def read(self) -> bytes:
        """What the tap wrote by now, some megabytes at most; empty where it has ended.

        Raises ReadError where it says nothing for too long.
        """
        parts, size, until = [], 0, None
        while size < _CHUNK and (until is None or time.monotonic() < until):
            if not self._selector.select(_SILENCE if until is None else _PAUSE):
                if until is None:
                    raise ReadError(f"{self.name} said nothing for {_SILENCE:.0f} seconds")
                break
            part = os.read(self._stdout, 1024 * 1024)
            if not part:
                break
            parts.append(part)
            size += len(part)
            until = until or time.monotonic() + _PAUSE
        return b"".join(parts)

    def problem(self) -> tuple[str, str] | None:
        """How a tap that wrote all failed, and its last words; None where it ended well."""
        try:
            code = self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            return "did not end", ""
        self._listener.join(timeout=5)
        if code == 0:
            return None
        words = self._last_words.decode("utf-8", "replace").strip().splitlines()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        return how, words[-1] if words else ""

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with suppress(OSError, ValueError):  # closed under us
            while part := os.read(self._process.stderr.fileno(), 65536):
                self._last_words = (self._last_words + part)[-8192:]

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


@contextmanager
def open_tap(source: Source, folder: Path) -> Iterator["Tap"]:
    """The source's tap, its config in a folder of its own that is removed again.

    Raises ReadError where the executable isn't there, DeclarationError where a variable isn't set.
    """
    assert source.tap is not None
    config = source.filled(source.tap.config, "tap", "config")
    executable = shutil.which(source.tap.executable)
    if executable is None:
        raise ReadError(f"{source.tap.executable} is not on the PATH: install this tap")
    place = Path(tempfile.mkdtemp(prefix="tap-", dir=folder)).resolve()  # mode 0700
    try:
        tap = Tap(source, str(Path(executable).absolute()), place)
        tap.config = tap.write("config", config)
        yield tap
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Tap:
    """A tap and its config. What it says of its failures comes without the config's secrets."""

    config: Path

    def __init__(self, source: Source, executable: str, folder: Path):
        assert source.tap is not None
        self.source, self.executable, self.folder = source, executable, folder
        self.name = source.tap.executable

    def write(self, name: str, value: Any) -> Path:
        """A JSON file that only we and the tap can read."""
        path = self.folder / f"{name}.json"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(value, file, default=str)
        return path

    def discover(self) -> dict[str, Any]:
        """The tap's catalog. Raises ReadError where it has none."""
        text = self._said("--discover")
        try:
            catalog = json.loads(text)
            assert isinstance(catalog["streams"], list)
            return catalog
        except (ValueError, TypeError, KeyError, AssertionError):
            raise ReadError(f"{self.name} --discover wrote no catalog") from None

    @contextmanager
    def stream(
        self, table: Table, catalog: dict[str, Any], state: str | None, without_class: set[str]
    ) -> Iterator["Stream"]:
        """A run of the tap for one table, from `state` on. Raises ReadError where the catalog
        lacks the stream, or this a declared column; adds those that don't land to `without_class`.
        """
        entry = _entry(catalog, table)
        without_class |= set(undeclared(catalog, table))
        selected = self.write("catalog", _selected(catalog, entry, table))
        arguments = [
            part for name in self._catalog_options() for part in (f"--{name}", str(selected))
        ]
        if state is not None:
            arguments += ["--state", str(self.write("state", json.loads(state)))]
        with self._process(*arguments) as process:
            yield Stream(self, process, table, _names(entry), state, without_class)

    def failure(self, problem: tuple[str, str]) -> ReadError:
        how, words = problem
        return ReadError(f"{self.name} {how}{': ' * bool(words)}{self._scrubbed(words)}")

    def _process(self, *arguments: str) -> _Process:
        every = [self.executable, "--config", str(self.config), *arguments]
        return _Process(self.name, every, self.folder)

    def _said(self, option: str) -> str:
        with self._process(option) as process:
            text = b""
            while part := process.read():
                text += part
            if problem := process.problem():
                raise self.failure(problem)
        return text.decode("utf-8", "replace")

    def _catalog_options(self) -> list[str]:
        """The names that the tap has for its catalog; older ones call it properties, some both."""
        if self.executable not in _options:
            try:
                text = self._said("--help")
            except ReadError:
                text = ""
            found = [name for name in ("catalog", "properties") if f"--{name}" in text]
            _options[self.executable] = found or ["catalog"]
        return _options[self.executable]

    def _scrubbed(self, text: str) -> str:
        """A line of the tap without secrets of its config, and without what may be a person's."""
        assert self.source.tap is not None
        for name in set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)\}", str(self.source.tap.config))):
            value = os.environ.get(name, "")
            for form in {value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1]}:
                text = text.replace(form, "***") if form else text
        text = re.sub(r"(://)[^/@\s]*@", r"\1***@", text)
        text = re.sub(r"(://[^\s?]*)\?\S*", r"\1?***", text)
        text = re.sub(r"\S+@\S+\.\S+", "***", text)
        return re.sub(r"\d[\d -]{5,}\d", "***", text)


# -- the catalog -----------------------------------------------------------------------------------


def _names(entry: dict[str, Any]) -> set[str]:
    names = {entry.get(key) for key in ("tap_stream_id", "stream", "stream_alias")}
    return {name for name in names if name}


def _entry(catalog: dict[str, Any], table: Table) -> dict[str, Any]:
    wanted = table.stream or table.name
    for key in ("tap_stream_id", "stream"):
        for entry in catalog["streams"]:
            if entry.get(key) == wanted:
                return entry
    there = sorted(str(entry.get("tap_stream_id")) for entry in catalog["streams"])
    raise ReadError(
        f"table {table.name}: the tap has no stream {wanted}, but {', '.join(there) or 'none'}"
    )


def undeclared(catalog: dict[str, Any], table: Table) -> list[str]:
    """Columns of the table's stream that have no privacy class: they don't land.

    Raises ReadError where the catalog lacks the stream, or this a declared column.
    """
    return sorted(_without_class(_entry(catalog, table).get("schema") or {}, table))


def _without_class(schema: dict[str, Any], table: Table) -> set[str]:
    there = set(schema.get("properties") or {})
    missing = [c.name for c in table.landed if table.theirs(c.name) not in there]
    if missing:
        raise ReadError(
            f"the stream of table {table.name} lacks declared column{'s' * (len(missing) > 1)}"
            f" {', '.join(missing)}: kept what was loaded before"
        )
    return there - {table.theirs(column.name) for column in table.columns}


def _selected(catalog: dict[str, Any], mine: dict[str, Any], table: Table) -> dict[str, Any]:
    """The catalog with one stream selected, and of that only what lands."""
    streams = []
    for entry in catalog["streams"]:
        stream = copy.deepcopy(entry)
        metadata = {tuple(one["breadcrumb"]): one for one in stream.get("metadata") or []}
        root = metadata.setdefault((), {"breadcrumb": [], "metadata": {}})["metadata"]
        # taps look at one of these three
        root["selected"] = stream["selected"] = entry is mine
        stream.setdefault("schema", {})["selected"] = entry is mine
        if entry is mine:
            _select_columns(stream, metadata, table)
            _set_replication(stream, root, table)
        stream["metadata"] = list(metadata.values())
        streams.append(stream)
    return {**catalog, "streams": streams}


def _select_columns(stream: dict[str, Any], metadata: dict[Any, Any], table: Table) -> None:
    wanted = {table.theirs(column.name) for column in table.landed}
    for name, schema in stream["schema"].get("properties", {}).items():
        here = ("properties", name)
        metadata.setdefault(here, {"breadcrumb": list(here), "metadata": {}})
        if isinstance(schema, dict):
            schema["selected"] = name in wanted
    for breadcrumb, one in metadata.items():
        if len(breadcrumb) > 1:
            one["metadata"]["selected"] = breadcrumb[1] in wanted


def _set_replication(stream: dict[str, Any], root: dict[str, Any], table: Table) -> None:
    """By the declared cursor, or whole; a stream without either keeps the tap's own way."""
    known = ("replication-method", "replication-key", "forced-replication-method")
    if table.mode == "full":
        stream["replication_method"] = root["replication-method"] = "FULL_TABLE"
    elif table.cursor:
        stream["replication_method"] = root["replication-method"] = "INCREMENTAL"
        key = table.theirs(table.cursor)
        stream["replication_key"] = root["replication-key"] = key
    elif not stream.get("replication_method") and not any(root.get(name) for name in known):
        stream["replication_method"] = root["replication-method"] = "FULL_TABLE"
    if table.key and not stream.get("key_properties") and not root.get("table-key-properties"):
        # a view has no key of its own
        stream["key_properties"] = root["view-key-properties"] = [
            table.theirs(name) for name in table.key
        ]


# -- the messages ----------------------------------------------------------------------------------


class Stream:
    """What a tap says of one table, slice by slice.

    While a slice is read, `state` becomes the last STATE before its end; `ended` says that there
    is no more, and `problem` that the rows must not land; `unknown` are kinds of messages that were
    left aside. Once ended, `failure` says how the tap
    failed, and `finished_version` that all rows there are were among those read.
    """

    def __init__(
        self,
        tap: Tap,
        process: _Process,
        table: Table,
        names: set[str],
        state: str | None,
        undeclared: set[str],
    ):
        self._tap, self._process, self._table, self._names = tap, process, table, names
        self._before, self._undeclared = state or "", undeclared
        self.state: str | None = None
        self.ended = False
        self.problem: ReadError | None = None
        self.failure: ReadError | None = None
        self._rest = b""
        self._line = 1
        self._schema_line: int | None = None
        self._last_record = 0
        self._activated: tuple[int, str] = (0, "")
        self._versions: set[str] = set()
        self.unknown: set[str] = set()
        theirs = (table.theirs(column.name) for column in table.landed)
        # JSON pointers, in which only these two need care
        values = (name.replace("~", "~0").replace("/", "~1") for name in theirs)
        self._paths = [*_ENVELOPE, *(f"/record/{value}" for value in values)]
        self._connection = duckdb.connect(":memory:")
        self._schema = pa.schema(
            [
                *((column.name, pa.string()) for column in table.landed),
                ("_line", pa.int64()),
                ("_error", pa.string()),
                ("_text", pa.string()),
            ]
        )

    @property
    def versioned(self) -> bool:
        """Whether every row so far belongs to a version of the table."""
        return "" not in self._versions

    @property
    def finished_version(self) -> bool:
        """Whether the tap went through a version of the table from its first row to its last."""
        line, version = self._activated
        began_before = version and re.search(rf"\b{re.escape(version)}\b", self._before)
        return line > self._last_record and self._versions <= {version} and not began_before

    def slice(self, whole: bool) -> pa.RecordBatchReader:
        """Rows as text, in a slice of bounded size or the `whole` stream; `_line` is the message's
        line, `_error` and `_text` mark lines that are no good message.
        """

        def batches() -> Iterator[pa.RecordBatch]:
            size, until = 0, time.monotonic() + SLICE_SECONDS
            try:
                while whole or (size < SLICE_BYTES and time.monotonic() < until):
                    data = self._process.read()
                    size += len(data)
                    if not data:
                        self.ended = True
                        if problem := self._process.problem():
                            self.failure = self._tap.failure(problem)
                            self._rest = b""  # cut off where the tap was
                    yield from self._messages(data).to_batches()
                    if self.ended:
                        return
            except ReadError as problem:  # raised here it would come out as an error of Arrow's
                self.problem = problem

        return pa.RecordBatchReader.from_batches(self._schema, batches())

    def _messages(self, data: bytes) -> pa.Table:
        head, newline, rest = (self._rest + data).rpartition(b"\n")
        if not data:
            head, newline, rest = rest, rest, b""
        self._rest = rest
        texts = head.decode("utf-8", "replace").split("\n") if newline else []
        lines = pa.array(texts, pa.string())
        numbers = np.arange(self._line, self._line + len(lines))
        self._line += len(lines)
        if len(rest) > _LONGEST_LINE:
            raise ReadError(f"line {self._line} of the tap has more than {_LONGEST_LINE:,} bytes")
        if not texts:
            return self._schema.empty_table()
        exact = with_marks(lines)
        numbered = pa.table({"_line": numbers, "_text": lines, "_exact": exact})
        self._connection.register("lines", numbered)
        self._connection.execute(_MESSAGES, {"names": sorted(self._names), "paths": self._paths})
        self._take_control()
        return self._records(exact is not lines)

    def _take_control(self) -> None:
        """Everything but rows: few messages, so one by one."""
        ((unknown,),) = self._connection.execute(_UNKNOWN).fetchall()
        self.unknown |= set(unknown or ())
        for line, text in self._connection.execute(_CONTROL).fetchall():
            message = json.loads(text)
            kind = message["type"]
            if kind == "STATE":
                self.state = json.dumps(message.get("value"), ensure_ascii=False)
            elif kind == "SCHEMA":
                self._take_schema(message)
                self._schema_line = self._schema_line or line
            elif kind == "ACTIVATE_VERSION":
                self._activated = (line, str(message.get("version")))
            elif kind == "BATCH":
                raise ReadError(
                    f"{self._tap.name} sends BATCH messages, which are not read: take batch_config"
                    " out of its config"
                )

    def _take_schema(self, message: dict[str, Any]) -> None:
        table = self._table
        self._undeclared |= _without_class(message.get("schema") or {}, table)
        theirs = message.get("key_properties") or []
        ours = [table.theirs(name) for name in table.key]
        if set(theirs) != set(ours):
            raise ReadError(
                f"the key of table {table.name} is declared as {', '.join(ours) or 'none'}, its"
                f" stream says {', '.join(map(str, theirs)) or 'none'}"
            )

    def _records(self, marked: bool) -> pa.Table:
        names = [column.name for column in self._table.landed]
        values = [f"parts[{n}]" for n in range(len(_ENVELOPE) + 1, len(_ENVELOPE) + len(names) + 1)]
        if marked:
            values = [unmarked(value) for value in values]
        keys = [value for name, value in zip(names, values, strict=True) if name in self._table.key]
        missing = " or ".join(f"{value} is null" for value in keys) or "false"
        selected = ", ".join(f'{v} as "{n}"' for n, v in zip(names, values, strict=True))
        query = f"""
            with records as (
                select
                    *,
                    case
                        when kind is null then 'no Singer message'
                        when stream is null then 'a RECORD without its stream'
                        when coalesce({", ".join(values)}) is null
                            and json_type(_exact, '/record') is distinct from 'OBJECT'
                            then 'a RECORD without its record'
                        when _line < $schema_line then 'a RECORD before its SCHEMA'
                    end as broken
                from messages
                where kind is null or kind = 'RECORD'
            )
            select
                {selected},
                _line,
                case
                    when broken is not null then 'line ' || _line || ' is ' || broken
                    when {missing} then 'line ' || _line || ' lacks the key'
                end as _error,
                case when broken is not null then _text end as _text
            from records
        """
        first = self._schema_line or self._line
        rows = self._connection.sql(query, params={"schema_line": first}).to_arrow_table()
        ((last, versions),) = self._connection.execute(
            "select max(_line), list(distinct coalesce(version, '')) from messages"
            " where kind = 'RECORD'"
        ).fetchall()
        self._last_record = last or self._last_record
        self._versions |= set(versions or ())
        return rows.cast(self._schema)


_ENVELOPE = ("/type", "/stream", "/version")
# Messages of our stream and those of none. A line of another stream is not ours.
_MESSAGES = """
    create or replace temp table messages as
    with parsed as (
        select *, try(json_extract_string(_exact, $paths)) as parts
        from lines
        where trim(_text, chr(9) || chr(13) || ' ') <> ''
    ),
    typed as (select *, parts[1] as kind, parts[2] as stream, parts[3] as version from parsed)
    select * from typed where kind is null or stream is null or stream in $names
"""
_UNKNOWN = """
    select list(distinct kind[:30]) from messages
    where kind not in ('SCHEMA', 'RECORD', 'STATE', 'ACTIVATE_VERSION', 'BATCH')
"""
# of many states only the last one counts
_CONTROL = """
    select _line, _text from messages
    where kind in ('SCHEMA', 'ACTIVATE_VERSION', 'BATCH')
        or _line = (select max(_line) from messages where kind = 'STATE')
    order by _line
"""

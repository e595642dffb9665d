"""Tries a source without loading it: is it where its declaration says, and as it says?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from extract_load.declaration import DeclarationError, Source, Table
from extract_load.readers import ReadError, database, files, rest, singer


@dataclass(frozen=True)
class Finding:
    """What was found, with file and line. A note is worth knowing, a mistake stops a load."""

    text: str
    is_mistake: bool


def check(source: Source) -> Iterator[Finding]:
    """Signs in and looks at each table's columns, nothing more. Needs no lock, so it leaves alone
    what signing in would use up.
    """
    if source.is_left_out:
        text = f"not set up, so left out: set {', '.join(source.variables)}"
        yield Finding(f"{source.file}:{source.place_line}: {text}", False)
        return
    try:
        source.filled(source.model_dump(include={"connection", "root", "storage"}, mode="json"))
        yield from _CHECKS[source.reader](source)
    except DeclarationError as error:
        yield Finding(str(error), True)
    except (ReadError, ValueError, OSError) as error:
        yield Finding(f"{source.file}:{source.place_line}: {error}", True)


def _database(source: Source) -> Iterator[Finding]:
    with database.connect(source) as connection:
        yield from _each_table(source, connection.undeclared)


def _files(source: Source) -> Iterator[Finding]:
    for table in source.tables.values():
        if not files.find(source, table):
            yield _note(source, table, "finds no file yet")


def _rest(source: Source) -> Iterator[Finding]:
    for note in rest.check(source):
        yield Finding(f"{source.file}:{source.place_line}: {note}", False)


def _singer(source: Source) -> Iterator[Finding]:
    with TemporaryDirectory() as folder, singer.open_tap(source, Path(folder)) as tap:
        catalog = tap.discover()
        yield from _each_table(source, lambda table: singer.undeclared(catalog, table))


_CHECKS = {"database": _database, "files": _files, "rest": _rest, "singer": _singer}


def _each_table(source: Source, undeclared: Callable[[Table], list[str]]) -> Iterator[Finding]:
    for table in source.tables.values():
        try:
            for name in sorted(set(undeclared(table)) - set(table.ignored)):
                yield _note(source, table, f"column {name} has no privacy class and does not land")
        except ReadError as error:
            yield Finding(f"{source.file}:{source.line('tables', table.name)}: {error}", True)


def _note(source: Source, table: Table, text: str) -> Finding:
    line = source.line("tables", table.name)
    return Finding(f"{source.file}:{line}: {table.name}: {text}", False)

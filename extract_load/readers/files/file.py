"""A dropped file, as all of this folder knows it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class File:
    """A file under the source's root. `name` is its path there; `digest` its content's SHA-256.

    `size` is in bytes, `modified` in nanoseconds since 1970. `path` is where the bytes are: the
    file itself, known by `inode`, or a copy of ours (`inode` 0).
    """

    path: Path
    name: str
    size: int
    modified: int
    digest: str = ""
    inode: int = 0
    # remembered as seen, but without rows of its own
    bare: bool = False
    # why it can't be read, where that is known before
    problem: str | None = None
    # opens JSON lines that stand for the content
    lines: Callable[[], BinaryIO] | None = None

    @property
    def has_rows(self) -> bool:
        return not self.bare and self.problem is None

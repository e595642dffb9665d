"""A dropped file, as all of this folder knows it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A file under the source's root. `name` is its path there; `digest` its content's SHA-256."""

    path: Path
    name: str
    size: int
    modified: int
    digest: str = ""

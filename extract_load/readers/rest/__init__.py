"""Reads web APIs, declared in the grammar of dlt's rest_api; nothing of dlt's pipelines is used.

The modules here import dlt, which takes its time: they are imported where a web API is read.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports the grammar from here
    from extract_load.declaration import Source


def check(source: "Source", tokens: Path | None = None) -> list[str]:
    """Signs in and asks for one cheap page; says what was not tried.

    `tokens` is the folder of refresh tokens that APIs have changed. Raises ReadError.
    """
    from extract_load.readers.rest.api import check

    return check(source, tokens)

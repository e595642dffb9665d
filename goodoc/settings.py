"""From the environment to one explicit set of settings; an unknown target is an error."""

import os
from dataclasses import dataclass
from pathlib import Path

from extract_load.loader.pseudonyms import PseudonymKey

PROJECT = Path(__file__).resolve().parent.parent
TARGETS = ("duckdb", "postgres", "bigquery")


class SettingsError(Exception):
    """An environment that can't be used; one line that says what to set."""


@dataclass(frozen=True)
class Settings:
    """Where everything is. `home` holds all state; `sources` the source declarations."""

    target: str
    home: Path
    sources: Path
    lock_wait: float

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def dbt(self) -> Path:
        """dbt's artefacts, logs and profile."""
        return self.home / "dbt"

    @property
    def key_file(self) -> Path:
        return Path(os.environ.get("GOODOC_PSEUDONYM_KEY_FILE") or self.home / "pseudonym.key")

    def pseudonym_key(self) -> PseudonymKey | None:
        """The key behind the pseudonyms; None where none is configured."""
        if self.key_file.is_file():
            return PseudonymKey(self.key_file.read_bytes().strip())
        return None


def from_environment() -> Settings:
    """Reads GOODOC_TARGET, GOODOC_HOME, GOODOC_SOURCES and GOODOC_LOCK_WAIT (seconds).

    Raises SettingsError for an unknown target or a wait that is no number.
    """
    target = os.environ.get("GOODOC_TARGET") or "duckdb"
    if target not in TARGETS:
        raise SettingsError(f"GOODOC_TARGET is {target!r}: it must be one of {', '.join(TARGETS)}")
    if target != "duckdb":
        raise SettingsError(
            f"GOODOC_TARGET is {target}: loading and publishing work on duckdb only so far"
        )
    wait = os.environ.get("GOODOC_LOCK_WAIT") or "60"
    if not wait.replace(".", "", 1).isdigit():
        raise SettingsError(f"GOODOC_LOCK_WAIT is {wait!r}: it must be a number of seconds")
    return Settings(
        target=target,
        home=Path(os.environ.get("GOODOC_HOME") or PROJECT / "var").absolute(),
        sources=Path(
            os.environ.get("GOODOC_SOURCES") or PROJECT / "extract_load" / "sources"
        ).absolute(),
        lock_wait=float(wait),
    )

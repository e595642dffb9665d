"""From the environment to one explicit set of settings; an unknown target is an error."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from extract_load.loader.pseudonyms import PseudonymKey

if TYPE_CHECKING:
    from extract_load.loader.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parent.parent
TARGETS = ("duckdb", "postgres", "bigquery")


class SettingsError(Exception):
    """An environment that can't be used; one line that says what to set."""


class NoWarehouseError(Exception):
    """There is nothing to read yet."""

    def __str__(self) -> str:
        return "there is no warehouse yet: run `goodoc load` first"


@dataclass(frozen=True)
class Postgres:
    """The server: one login for load and build; each takes on its own role."""

    url: str

    def environment(self) -> dict[str, str]:
        """What the dbt profile reads; the password by the name that dbt keeps out of its logs."""
        parts = urlsplit(self.url)
        # a server without a port is named by its socket's folder, as in postgresql:///db?host=/run
        socket = parse_qs(parts.query).get("host", ["127.0.0.1"])[0]
        return {
            "GOODOC_PG_HOST": unquote(parts.hostname or socket),
            "GOODOC_PG_PORT": str(parts.port or 5432),
            "GOODOC_PG_USER": unquote(parts.username or "postgres"),
            "GOODOC_PG_DATABASE": self.database,
            "DBT_ENV_SECRET_PG_PASSWORD": unquote(parts.password or ""),
        }

    @property
    def database(self) -> str:
        return unquote(urlsplit(self.url).path.lstrip("/")) or "postgres"


@dataclass(frozen=True)
class BigQuery:
    """The project. `max_bytes` is the most that one query may bill; `readers` the e-mail of the
    group that reads published marts, `restricted_readers` of those with clearance; `policy_tags`
    map privacy classes to policy tags."""

    project: str
    location: str
    max_bytes: int
    endpoint: str | None
    readers: str | None
    policy_tags: dict[str, str]
    restricted_readers: str | None = None


@dataclass(frozen=True)
class Settings:
    """Where everything is. `home` holds all state; `sources` the source declarations.

    `today` is the day that windows of web APIs end with, where it isn't the clock's. `reader_group`
    is the group of this machine that may read what is published on DuckDB, but not restricted.
    """

    target: str
    home: Path
    sources: Path
    lock_wait: float
    postgres: Postgres | None = None
    bigquery: BigQuery | None = None
    today: date | None = None
    reader_group: str | None = None

    @property
    def warehouse(self) -> Path:
        """The DuckDB file, where that is the target."""
        return self.home / "warehouse.duckdb"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def published(self) -> Path:
        """The readers' copy on DuckDB; the other targets publish within the engine."""
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

    def open_warehouse(self, read_only: bool = False) -> "Warehouse":
        """The target's raw tables and ledger, as a context manager.

        Raises WarehouseError where it can't be reached, or is to be read and nothing was ever
        loaded. Only the target's client is imported.
        """
        warehouse = self._open(read_only)
        if read_only and ("raw_ledger", "loads") not in warehouse.relations():
            warehouse.close()
            raise NoWarehouseError
        return warehouse

    def _open(self, read_only: bool) -> "Warehouse":
        if self.postgres:
            from extract_load.loader.postgres_warehouse import (
                LOADER,
                TRANSFORMER,
                PostgresWarehouse,
            )

            role = TRANSFORMER if read_only else LOADER
            return PostgresWarehouse(self.postgres.url, role, read_only)
        if self.bigquery:
            from extract_load.loader.bigquery_warehouse import BigQueryWarehouse

            target = self.bigquery
            return BigQueryWarehouse(
                target.project,
                target.location,
                target.max_bytes,
                endpoint=target.endpoint,
                policy_tags=target.policy_tags,
            )
        from extract_load.loader.duckdb_warehouse import DuckDBWarehouse

        if read_only and not self.warehouse.is_file():
            raise NoWarehouseError
        return DuckDBWarehouse(self.warehouse, read_only)


def from_environment() -> Settings:
    """Reads the GOODOC_ variables that the README lists.

    Raises SettingsError for an unknown target, one that lacks its address, a wait that is no
    number, or a day that is none.
    """
    target = os.environ.get("GOODOC_TARGET") or "duckdb"
    if target not in TARGETS:
        raise SettingsError(f"GOODOC_TARGET is {target!r}: it must be one of {', '.join(TARGETS)}")
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
        today=_today(),
        reader_group=os.environ.get("GOODOC_READER_GROUP") or None,
        postgres=_postgres() if target == "postgres" else None,
        bigquery=_bigquery() if target == "bigquery" else None,
    )


def _today() -> date | None:
    text = os.environ.get("GOODOC_TODAY")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(f"GOODOC_TODAY is {text!r}: write a day as 2026-08-29") from None


def _postgres() -> Postgres:
    url = os.environ.get("GOODOC_PG_URL", "")
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise SettingsError(
            "GOODOC_TARGET is postgres: set GOODOC_PG_URL, as in"
            " postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        )
    return Postgres(url)


def _bigquery() -> BigQuery:
    project = os.environ.get("GOODOC_BQ_PROJECT")
    if not project:
        raise SettingsError("GOODOC_TARGET is bigquery: set GOODOC_BQ_PROJECT to the project's id")
    max_bytes = os.environ.get("GOODOC_BQ_MAX_BYTES") or "1000000000000"
    if not max_bytes.isdigit():
        raise SettingsError(f"GOODOC_BQ_MAX_BYTES is {max_bytes!r}: it must be a number of bytes")
    tags = os.environ.get("GOODOC_BQ_POLICY_TAGS", "")
    pairs = [pair.partition("=") for pair in tags.split(",") if pair.strip()]
    if not all(equals and tag.strip() for _, equals, tag in pairs):
        raise SettingsError(
            "GOODOC_BQ_POLICY_TAGS must list CLASS=POLICY_TAG, with commas between them"
        )
    return BigQuery(
        project=project,
        location=os.environ.get("GOODOC_BQ_LOCATION") or "asia-northeast3",
        max_bytes=int(max_bytes),
        endpoint=os.environ.get("GOODOC_BQ_ENDPOINT") or None,
        readers=os.environ.get("GOODOC_BQ_READERS") or None,
        restricted_readers=os.environ.get("GOODOC_BQ_RESTRICTED_READERS") or None,
        policy_tags={name.strip(): tag.strip() for name, _, tag in pairs},
    )

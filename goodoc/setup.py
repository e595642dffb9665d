"""What a target needs before its first run, made by its administrator: roles, grants, datasets."""

from extract_load.loader.postgres_warehouse import (
    LOADER,
    READER,
    RESTRICTED_READER,
    TRANSFORMER,
)
from goodoc.privacy import RESTRICTED
from goodoc.settings import BigQuery, Postgres, Settings

# Least rights: the loader writes raw tables, the transformer reads them and writes models, readers
# see what was published, and what is restricted only if they have clearance.
POSTGRES_ROLES = (LOADER, TRANSFORMER, READER, RESTRICTED_READER)
MARTS = ("core", "marketing", "tablet_usage", "prescription", "booking_flow")


class SetupError(Exception):
    """The target can't be prepared; one line."""


def prepare_target(settings: Settings, sources: dict[str, object]) -> list[str]:
    """Prepares the target and returns a line for each thing that it now has. Can be repeated.

    Raises SetupError where the target can't serve, or the login lacks the rights to prepare it.
    """
    if settings.postgres:
        return _prepare_postgres(settings.postgres)
    if settings.bigquery:
        return _prepare_bigquery(settings.bigquery, list(sources))
    return ["DuckDB needs no preparation: `goodoc run`"]


def _prepare_postgres(target: Postgres) -> list[str]:
    from extract_load.loader.postgres_warehouse import PostgresWarehouse

    with PostgresWarehouse(target.url, role=None, read_only=True) as server:
        ((collation, encoding, database),) = server.query(
            "select cast(datcollate as text), cast(pg_encoding_to_char(encoding) as text),"
            " quote_ident(datname) from pg_database where datname = current_database()"
        )
        if collation not in ("C", "C.UTF-8", "POSIX") or encoding != "UTF8":
            raise SetupError(
                f"database {database} sorts text by {collation} in {encoding}, the other engines"
                f" by bytes of UTF-8: make it with `create database {database} template template0"
                " encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'`"
            )
        there = {role for (role,) in server.query("select cast(rolname as text) from pg_roles")}
        writers = f"{LOADER}, {TRANSFORMER}"
        server.transact(
            [
                *(f"create role {role} nologin" for role in POSTGRES_ROLES if role not in there),
                f"grant {writers} to current_user",
                f"grant create, connect, temporary on database {database} to {writers}",
                f"grant connect on database {database} to {READER}, {RESTRICTED_READER}",
                "revoke all on schema public from public",
                # instants are UTC, whatever the server's or a client's zone is
                f"alter database {database} set timezone to 'UTC'",
            ],
            "select 1",
        )
    return [
        "role goodoc_loader: writes raw tables and the ledger",
        "role goodoc_transformer: reads raw, writes models and published marts",
        "role bi_reader: reads published marts; let people log in as members of it",
        "role restricted_reader: reads what is restricted; for people with clearance, apart",
        "next: `goodoc run`",
    ]


def _prepare_bigquery(target: BigQuery, sources: list[str]) -> list[str]:
    from google.api_core.exceptions import GoogleAPIError
    from google.cloud import bigquery

    from extract_load.loader.bigquery_warehouse import connect

    layers = {
        **{f"raw_{name}": "raw" for name in (*sources, "ledger", "landing")},
        **{name: name for name in ("reference", "staging", "intermediate")},
        **dict.fromkeys(MARTS, "marts"),
        **{f"published_{mart}": "published" for mart in MARTS},
        f"published_{RESTRICTED}": RESTRICTED,
    }
    readers = {"published": target.readers, RESTRICTED: target.restricted_readers}
    try:
        client = connect(target.project, target.location, target.endpoint)
        for name, layer in layers.items():
            dataset = bigquery.Dataset(f"{target.project}.{name}")
            dataset.location = target.location
            dataset = client.create_dataset(dataset, exists_ok=True)
            dataset.labels = {"product": "goodoc", "layer": layer}
            if readers.get(layer):
                reader = bigquery.AccessEntry("READER", "groupByEmail", readers[layer])
                if reader not in dataset.access_entries:
                    dataset.access_entries = [*dataset.access_entries, reader]
            client.update_dataset(dataset, ["labels", "access_entries"])
    except GoogleAPIError as error:
        raise SetupError(f"BigQuery refused: {str(error).splitlines()[0]}") from None
    nobody = "nobody yet: set {} to a group's e-mail"
    reader = target.readers or nobody.format("GOODOC_BQ_READERS")
    cleared = target.restricted_readers or nobody.format("GOODOC_BQ_RESTRICTED_READERS")
    return [
        f"{len(layers)} datasets in {target.project}, {target.location}",
        f"published datasets are read by {reader}",
        f"the restricted one is read by {cleared}",
        "next: `goodoc run`",
    ]

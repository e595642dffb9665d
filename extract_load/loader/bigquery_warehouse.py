"""BigQuery: rows come in by load jobs, and each load is one script in one query job."""

import io
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import google.auth
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from extract_load.loader.relations import LEDGER, Relation
from extract_load.loader.warehouse import Warehouse, WarehouseError

_LANDING = "raw_landing"
_DAY_MS = 24 * 60 * 60 * 1000
_CONNECT_SECONDS = 20.0
_CLUSTER_COLUMNS = 4  # BigQuery's limit
# what can go wrong without a row's value in the message
_TELLABLE = {
    "accessDenied", "billingNotEnabled", "bytesBilledLimitExceeded", "notFound", "quotaExceeded",
    "rateLimitExceeded", "resourcesExceeded", "responseTooLarge",
}  # fmt: skip
_ASSERTED = "goodoc: "
_LABELS = {"tool": "goodoc"}
_ERRORS = (GoogleAPIError, GoogleAuthError, requests.RequestException)
_PARAMETERS = {
    bool: "BOOL", int: "INT64", float: "FLOAT64", Decimal: "NUMERIC", datetime: "TIMESTAMP",
    date: "DATE",
}  # fmt: skip


def connect(project: str, location: str, endpoint: str | None = None) -> bigquery.Client:
    """A client with Google's default credentials that has reached the project once.

    `endpoint` is the address of a stand-in for BigQuery. Raises WarehouseError.
    """
    try:
        credentials, _ = google.auth.default(["https://www.googleapis.com/auth/bigquery"])
    except GoogleAuthError:
        raise WarehouseError(
            "can't connect to BigQuery: no credentials; set GOOGLE_APPLICATION_CREDENTIALS to the"
            " file of a service account"
        ) from None
    options = {"api_endpoint": endpoint} if endpoint else None
    client = bigquery.Client(project, credentials, location=location, client_options=options)
    try:
        retry = bigquery.DEFAULT_RETRY.with_timeout(_CONNECT_SECONDS)
        list(client.list_datasets(max_results=1, retry=retry, timeout=_CONNECT_SECONDS))
    except _ERRORS as error:
        client.close()
        raise WarehouseError(
            f"can't connect to BigQuery: {type(error).__name__}; set GOODOC_BQ_PROJECT,"
            " GOODOC_BQ_LOCATION and GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
    return client


class BigQueryWarehouse(Warehouse):
    """Raw tables and ledger in datasets of one project; see `connect`.

    No query may bill more than `max_bytes`. `policy_tags` maps privacy classes to the resource
    names of policy tags.
    """

    types: ClassVar = {
        "string": "string",
        "bigint": "int64",
        "numeric": "numeric",
        "boolean": "bool",
        "date": "date",
        "timestamp": "timestamp",
    }

    def __init__(
        self,
        project: str,
        location: str,
        max_bytes: int | None,
        endpoint: str | None = None,
        policy_tags: Mapping[str, str] | None = None,
    ):
        self.max_bytes, self.policy_tags = max_bytes, policy_tags or {}
        self.client = connect(project, location, endpoint)
        self._make_ledger()

    def close(self) -> None:
        self.client.close()

    def quote(self, name: str) -> str:
        return f"`{name}`"

    def digest(self, text: str) -> str:
        return f"to_hex(md5({text}))"

    def korean_day(self, at: str) -> str:
        return f"date({at}, 'Asia/Seoul')"

    def text(self, kind: str, value: str) -> str:
        if kind == "numeric":
            return f"format('%.9f', {value})"
        if kind == "timestamp":
            return f"format_timestamp('%Y-%m-%d %H:%M:%E*S', {value}, 'UTC')"
        return super().text(kind, value)

    def assertion(self, condition: str, message: str) -> list[str]:
        return [f'assert {condition} as "{_ASSERTED}{message}"']

    def dropped(self, tables: Sequence[str]) -> list[str]:
        return []

    def transact(self, statements: Iterable[str], then: str) -> list[tuple[Any, ...]]:
        """One job: whoever waits for it may die, all of it happens or nothing."""
        return self.query(
            ";\n".join(["begin transaction", *statements, "commit transaction", then])
        )

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        config = bigquery.QueryJobConfig(
            query_parameters=[
                bigquery.ScalarQueryParameter(None, _PARAMETERS.get(type(value), "STRING"), value)
                for value in parameters
            ],
            maximum_bytes_billed=self.max_bytes,
            labels=_LABELS,
        )
        with _one_line_errors():
            rows = self.client.query(sql, job_config=config).result()
            return [tuple(_without_zone(value) for value in row.values()) for row in rows]

    def relations(self) -> set[tuple[str, str]]:
        with _one_line_errors():
            return {
                (dataset.dataset_id, table.table_id)
                for dataset in self.client.list_datasets()
                for table in self.client.list_tables(dataset.reference)
            }

    @contextmanager
    def staged(self, inputs: Mapping[str, Path | pa.Table]) -> Iterator[dict[str, str]]:
        # what a killed process leaves here expires with the dataset's tables
        tables = {name: f"{_LANDING}.{name}_{uuid.uuid4().hex}" for name in inputs}
        config = bigquery.LoadJobConfig(
            source_format="PARQUET", write_disposition="WRITE_EMPTY", labels=_LABELS
        )
        try:
            with _one_line_errors():
                jobs = []
                for name, data in inputs.items():
                    with _file(data) as file:
                        jobs.append(
                            self.client.load_table_from_file(
                                file, f"{self.client.project}.{tables[name]}", job_config=config
                            )
                        )
                for job in jobs:
                    job.result()
            yield tables
        finally:
            for table in tables.values():
                with suppress(*_ERRORS):
                    self.client.delete_table(table, not_found_ok=True)

    def _make_ledger(self) -> None:
        super()._make_ledger()
        self._create_schema(_LANDING)

    def _create_schema(self, schema: str) -> None:
        dataset = bigquery.Dataset(f"{self.client.project}.{schema}")
        dataset.location = self.client.location
        dataset.labels = {"layer": "raw", "source": schema.removeprefix("raw_")}
        if schema == _LANDING:
            dataset.default_table_expiration_ms = _DAY_MS
        with _one_line_errors():
            self.client.create_dataset(dataset, exists_ok=True)

    def _columns(self, schema: str) -> dict[str, set[str]]:
        with _one_line_errors():
            try:
                tables = list(self.client.list_tables(schema))
            except NotFound:
                return {}
            return {
                table.table_id: {field.name for field in self.client.get_table(table).schema}
                for table in tables
            }

    def _create(self, relation: Relation) -> None:
        table = bigquery.Table(
            f"{self.client.project}.{relation.schema}.{relation.name}",
            [self._field(relation, column) for column in relation.columns],
        )
        if relation.schema != LEDGER:
            table.clustering_fields = relation.key[:_CLUSTER_COLUMNS]
        if relation.partition:
            table.time_partitioning = bigquery.TimePartitioning(field=relation.partition)
        table.labels = {"layer": "raw", "source": relation.schema.removeprefix("raw_")}
        with _one_line_errors():
            self.client.create_table(table, exists_ok=True)

    def _extend(self, relation: Relation, columns: Sequence[str]) -> None:
        with _one_line_errors():
            table = self.client.get_table(f"{relation.schema}.{relation.name}")
            # not `alter table`, which can't set a policy tag
            table.schema = [*table.schema, *(self._field(relation, column) for column in columns)]
            self.client.update_table(table, ["schema"])

    def _field(self, relation: Relation, column: str) -> bigquery.SchemaField:
        tag = self.policy_tags.get(relation.privacy.get(column, ""))
        tags = {"policy_tags": bigquery.PolicyTagList([tag])} if tag else {}
        return bigquery.SchemaField(
            column,
            self.types[relation.columns[column]].upper(),
            "REQUIRED" if column in relation.required else "NULLABLE",
            **tags,
        )


def _file(data: Path | pa.Table) -> BinaryIO:
    if isinstance(data, Path):
        return data.open("rb")
    file = io.BytesIO()
    pq.write_table(data, file)
    file.seek(0)
    return file


def _without_zone(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Errors by their kind: a message may quote a value, unless it is one of ours or of a limit."""
    try:
        yield
    except _ERRORS as error:
        details = (getattr(error, "errors", None) or [{}])[0]
        reason, message = details.get("reason") or type(error).__name__, details.get("message", "")
        job = re.search(r"Job ID: (\S+)", str(error))
        text = f"the job failed ({reason}{f', job {job[1]}' if job else ''})"
        if found := re.search(f"{_ASSERTED}([a-z' ]+)", message):
            text = found[1]
        elif reason in _TELLABLE and message:
            text = message.splitlines()[0]
        raise WarehouseError(f"BigQuery: {text}") from None

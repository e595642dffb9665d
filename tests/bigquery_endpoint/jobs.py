"""Jobs: queries, loads and copies, as the REST API describes them."""

import io
import uuid

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from . import checks
from .errors import BigQueryError, not_found
from .statements import Engine, Outcome, Session
from .storage import LOCATION, Table, milliseconds
from .types import (
    LEGACY,
    NULL_CELL,
    decode,
    encode,
    field_of,
    from_text,
    parameter_type,
    parameter_value,
    to_json,
    type_of,
    value_proto,
)

ANONYMOUS = "_results"  # the dataset that query results are said to stand in
PAGE = 10_000
CREATION_SETTINGS = ("timePartitioning", "rangePartitioning", "clustering")


class Jobs:
    """All jobs of an endpoint; each is done when `insert` returns."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self._jobs: dict[str, dict] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._errors: dict[str, BigQueryError] = {}

    def insert(self, body: dict, data: bytes | None = None) -> dict:
        """Run a job; its failure stands in the job, as with BigQuery."""
        configuration, reference = body["configuration"], body.get("jobReference") or {}
        job_id = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
        project = self.engine.warehouse.project
        if job_id in self._jobs:
            raise BigQueryError(409, "duplicate", f"Already Exists: Job {project}:{job_id}")
        (kind,) = configuration.keys() & {"query", "load", "copy"} or ("unknown",)
        location = reference.get("location") or LOCATION
        start = milliseconds()
        job = {
            "kind": "bigquery#job",
            "id": f"{project}:{location}.{job_id}",
            "etag": job_id,
            "jobReference": {"projectId": project, "jobId": job_id, "location": location},
            "configuration": {**configuration, "jobType": kind.upper()},
            "status": {"state": "DONE"},
            "user_email": "test@localhost",
        }
        statistics = {"creationTime": start, "startTime": start}
        try:
            checks.check_labels(configuration.get("labels", {}))
            run = {"query": self._query, "load": self._load, "copy": self._copy}.get(kind)
            if run is None:
                raise BigQueryError(501, "notImplemented", "only query, load and copy jobs")
            statistics[kind] = run(job, data)
        except BigQueryError as error:
            self._errors[job_id] = error
            failure = {"reason": error.reason, "message": error.message, "location": "query"}
            job["status"] |= {"errorResult": failure, "errors": [failure]}
        job["statistics"] = {**statistics, "endTime": milliseconds()}
        if not configuration.get("dryRun"):
            self._jobs[job_id] = job
        elif job_id in self._errors:
            raise self._errors.pop(job_id)
        return job

    def get(self, job_id: str) -> dict:
        if job_id not in self._jobs:
            raise not_found("Job", f"{self.engine.warehouse.project}:{job_id}")
        return self._jobs[job_id]

    def all(self) -> list[dict]:
        return list(self._jobs.values())

    def results(self, job_id: str, start: int = 0, limit: int | None = None) -> dict:
        """A page of a query's rows. Raises the query's own error."""
        job = self.get(job_id)
        if job_id in self._errors:
            raise self._errors[job_id]
        outcome = self._outcomes.get(job_id) or Outcome("LOAD")
        answer = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job["jobReference"],
            "jobComplete": True,
            "cacheHit": False,
            "totalBytesProcessed": "0",
        }
        if outcome.affected is not None:
            answer["numDmlAffectedRows"] = str(outcome.affected)
        result = outcome.result
        if result is None:
            return answer | {"schema": {"fields": []}, "totalRows": "0", "rows": []}
        fields = [field_of(name, kind) for name, kind in result.columns]
        page = rows_page(fields, result.cells, result.count, start, limit)
        return answer | {"schema": {"fields": fields}} | page

    def result_table(self, job_id: str) -> dict:
        """The anonymous table of a query's results."""
        answer = self.results(job_id, 0, 0)
        reference = self.get(job_id)["configuration"]["query"]["destinationTable"]
        return {
            "kind": "bigquery#table",
            "id": job_id,
            "tableReference": reference,
            "type": "TABLE",
            "schema": answer["schema"],
            "numRows": answer["totalRows"],
            "numBytes": "0",
        }

    # -------------------------------------------------------------- queries

    def _query(self, job: dict, data) -> dict:
        request = job["configuration"]["query"]
        if request.get("useLegacySql"):
            raise BigQueryError(501, "notImplemented", "legacy SQL is not in the local subset")
        session = Session(
            default_dataset=request.get("defaultDataset", {}).get("datasetId"),
            parameters=tuple(map(_parameter, request.get("queryParameters", []))),
        )
        job_id = job["jobReference"]["jobId"]
        if job["configuration"].get("dryRun"):
            kind, columns = self.engine.dry_run(request["query"], session)
            schema = {"fields": [field_of(name, kind) for name, kind in columns]}
            return {"statementType": kind, "totalBytesProcessed": "0", "schema": schema}
        outcome = self.engine.run(request["query"], session)
        self._outcomes[job_id] = outcome
        if outcome.result is not None and "destinationTable" in request:
            self._store(outcome, request)
        elif "destinationTable" not in request:
            target = {"datasetId": ANONYMOUS, "tableId": job_id}
            if outcome.table is not None:
                target = outcome.table.resource["tableReference"]
            request["destinationTable"] = {**target, "projectId": self.engine.warehouse.project}
        statistics = {
            "statementType": outcome.kind,
            "totalBytesProcessed": "0",
            "totalBytesBilled": "0",
            "cacheHit": False,
        }
        if outcome.affected is not None:
            statistics["numDmlAffectedRows"] = str(outcome.affected)
        return statistics

    def _store(self, outcome: Outcome, request: dict):
        result = outcome.result
        fields = [field_of(name, kind) for name, kind in result.columns]
        settings = {"writeDisposition": "WRITE_EMPTY", **request}
        self._write(request["destinationTable"], fields, list(result.cells), settings)

    # -------------------------------------------------------------- loads and copies

    def _load(self, job: dict, data: bytes) -> dict:
        request = job["configuration"]["load"]
        target = request["destinationTable"]
        old = self._existing(target)
        declared = request.get("schema", {}).get("fields")
        if declared is None and old is not None:
            declared = old.fields if request.get("writeDisposition") != "WRITE_TRUNCATE" else None
        read = {"PARQUET": read_parquet, "CSV": read_csv}.get(request.get("sourceFormat", "CSV"))
        if read is None:
            raise BigQueryError(501, "notImplemented", "only Parquet and CSV files")
        try:
            fields, cells = read(data, declared or (old.fields if old else None), request)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise BigQueryError(400, "invalid", f"Error while reading data: {error}") from error
        self._write(target, fields, cells, request)
        rows = str(len(cells[0]) if cells else 0)
        return {"outputRows": rows, "inputFiles": "1", "inputFileBytes": str(len(data))}

    def _copy(self, job: dict, data) -> dict:
        request = job["configuration"]["copy"]
        sources = request.get("sourceTables") or [request["sourceTable"]]
        settings = {"writeDisposition": "WRITE_EMPTY", **request}
        for source in sources:
            table, chosen = self._table_and_partition(source)
            if table.query:
                raise BigQueryError(
                    400, "invalid", "Using table view as a copy source is not allowed"
                )
            kept = {key: table.resource[key] for key in CREATION_SETTINGS if key in table.resource}
            cells = [
                [cell for cell, take in zip(c, chosen, strict=True) if take] for c in table.cells
            ]
            self._write(request["destinationTable"], table.fields, cells, kept | settings)
            settings["writeDisposition"] = "WRITE_APPEND"
        return {"copiedRows": "0"}

    def _existing(self, target: dict) -> Table | None:
        key = (target["datasetId"], target["tableId"].partition("$")[0])
        self.engine.warehouse.dataset(key[0])
        return self.engine.warehouse.tables.get(key)

    def _table_and_partition(self, reference: dict) -> tuple[Table, list[bool]]:
        """A table, and which of its rows a `table$20260131` means."""
        name, _, partition = reference["tableId"].partition("$")
        table = self.engine.warehouse.table(reference["datasetId"], name)
        return table, [not partition or each == partition for each in table.partition_ids()]

    def _write(self, target: dict, fields: list[dict], cells: list, settings: dict):
        """Put rows into a table as the write disposition says, making it where it is missing."""
        warehouse = self.engine.warehouse
        partition = target["tableId"].partition("$")[2]
        spec = {key: settings[key] for key in CREATION_SETTINGS if settings.get(key)}
        old = self._existing(target)
        disposition = settings.get("writeDisposition", "WRITE_APPEND")
        if old is None:
            if settings.get("createDisposition") == "CREATE_NEVER":
                raise not_found("Table", target["tableId"])
            checks.check_settings(fields, spec)
            extra = settings.get("destinationTableProperties", {})
            name = target["tableId"].partition("$")[0]
            table = warehouse.new_table(target["datasetId"], name, fields, **spec, **extra)
            warehouse.put(table.with_cells(cells))
            return
        if old.query:
            raise BigQueryError(400, "invalid", f"{old.resource['id']} is a VIEW")
        for key in spec:
            if key != "clustering" and not same_partitioning(spec[key], old.resource.get(key)):
                raise BigQueryError(400, "invalid", "Incompatible table partitioning specification")
        if disposition == "WRITE_EMPTY" and old.count:
            raise BigQueryError(409, "duplicate", f"Already Exists: Table {old.resource['id']}")
        if disposition == "WRITE_TRUNCATE" and not partition:
            changed = old.with_resource(schema={"fields": fields}, **spec)
            table = Table(changed.resource, tuple([] for _ in fields))
        else:
            table = self._widened(old, fields, settings)
            if disposition == "WRITE_TRUNCATE":
                kept = [each != partition for each in table.partition_ids()]
                table = table.with_cells(
                    [[c for c, k in zip(column, kept, strict=True) if k] for column in table.cells]
                )
        by_name = {each["name"].lower(): c for each, c in zip(fields, cells, strict=True)}
        empty = [NULL_CELL] * (len(cells[0]) if cells else 0)
        table = table.appended([by_name.get(n["name"].lower(), empty) for n in table.fields])
        warehouse.put(table.with_resource(lastModifiedTime=milliseconds()))

    def _widened(self, table: Table, fields: list[dict], settings: dict) -> Table:
        have = {each["name"].lower(): each for each in table.fields}
        new = []
        for each in fields:
            known = have.get(each["name"].lower())
            if known is None:
                new.append(each)
            elif type_of(known) != type_of(each):
                raise table.mismatch(f"Field {each['name']} has changed type")
        if new and "ALLOW_FIELD_ADDITION" not in settings.get("schemaUpdateOptions", ()):
            raise table.mismatch(f"Cannot add fields (field: {new[0]['name']})")
        return table.with_fields([*table.fields, *new]) if new else table


def same_partitioning(new: dict, old: dict | None) -> bool:
    keys = ("type", "field", "range")
    return old is not None and [new.get(k) for k in keys] == [old.get(k) for k in keys]


def rows_page(fields, cells, count: int, start: int, limit: int | None) -> dict:
    """Rows from `start` on as the REST API sends them, with the token of the next page."""
    if limit == 0:  # how clients ask for the schema and the number of rows
        return {"totalRows": str(count)}
    end = min(count, start + min(PAGE if limit is None else limit, PAGE))
    columns = []
    for each, column in zip(fields, cells, strict=True):
        values = decode(column[start:end], type_of(each))
        columns.append([{"v": to_json(value, each)} for value in values])
    rows = [{"f": list(row)} for row in zip(*columns, strict=True)]
    page = {"totalRows": str(count), "rows": rows}
    return page | ({"pageToken": str(end)} if end < count else {})


def _parameter(given: dict) -> tuple:
    kind = parameter_type(given["parameterType"])
    try:
        value = value_proto(parameter_value(given.get("parameterValue", {}), kind), kind)
    except ValueError as error:
        raise BigQueryError(400, "invalid", f"Invalid query parameter: {error}") from error
    return given.get("name", ""), kind, value


def read_parquet(data: bytes, declared: list[dict] | None, request: dict):
    """Fields and cells of a Parquet file, in the declared types where a schema is given."""
    table = pyarrow.parquet.read_table(io.BytesIO(data))
    own = {
        name: arrow_field(name, kind)
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
    }
    fields = [each for each in declared if each["name"] in own] if declared else list(own.values())
    if unknown := own.keys() - {each["name"] for each in fields}:
        raise ValueError(f"no such field: {min(unknown)}")
    cells = []
    for each in fields:
        name = each["name"]
        if not loads_into(own[name], each):
            raise ValueError(
                f"Parquet column '{name}' has type {own[name]['type']} which does not match the "
                f"target type {each['type']}"
            )
        cells.append(encode(table.column(name).to_pylist(), type_of(each)))
    return fields, cells


def loads_into(own: dict, declared: dict) -> bool:
    """Whether a Parquet column may be loaded into a declared field."""
    if type_of(own) == type_of(declared):
        return True
    pair = own["type"], LEGACY.get(declared["type"], declared["type"])
    return own["mode"] == declared.get("mode", "NULLABLE").replace("REQUIRED", "NULLABLE") and (
        pair
        in {
            ("STRING", "JSON"),
            ("NUMERIC", "BIGNUMERIC"),
            ("DATETIME", "TIMESTAMP"),
            ("TIMESTAMP", "DATETIME"),
            ("INTEGER", "NUMERIC"),
            ("RECORD", "RECORD"),
        }
    )


def arrow_field(name: str, kind: pa.DataType) -> dict:
    """The REST field that BigQuery makes of a Parquet column."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return arrow_field(name, kind.value_type) | {"mode": "REPEATED"}
    if pa.types.is_struct(kind):
        parts = [
            arrow_field(kind.field(i).name, kind.field(i).type) for i in range(kind.num_fields)
        ]
        return {"name": name, "mode": "NULLABLE", "type": "RECORD", "fields": parts}
    for test, typed in (
        (pa.types.is_integer, "INTEGER"),
        (pa.types.is_floating, "FLOAT"),
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_time, "TIME"),
        (pa.types.is_string, "STRING"),
        (pa.types.is_large_string, "STRING"),
        (pa.types.is_binary, "BYTES"),
        (pa.types.is_large_binary, "BYTES"),
    ):
        if test(kind):
            return {"name": name, "mode": "NULLABLE", "type": typed}
    if pa.types.is_timestamp(kind):
        return {"name": name, "mode": "NULLABLE", "type": "TIMESTAMP" if kind.tz else "DATETIME"}
    if pa.types.is_decimal(kind):
        fits = kind.scale <= 9 and kind.precision - kind.scale <= 29
        return {"name": name, "mode": "NULLABLE", "type": "NUMERIC" if fits else "BIGNUMERIC"}
    raise TypeError(f"Parquet column '{name}' has type {kind}")


def read_csv(data: bytes, declared: list[dict] | None, request: dict):
    """Fields and cells of a CSV file; an empty value that is not quoted is NULL."""
    if declared is None:
        raise ValueError("a CSV file needs a schema here: no autodetection in the local subset")
    names = [each["name"] for each in declared]
    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        pyarrow.csv.ReadOptions(
            skip_rows=int(request.get("skipLeadingRows", 0)), column_names=names
        ),
        pyarrow.csv.ParseOptions(
            delimiter=request.get("fieldDelimiter", ","),
            quote_char=request.get("quote", '"') or False,
            newlines_in_values=True,
        ),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[request.get("nullMarker", "")],
        ),
    )
    cells = []
    for each, column in zip(declared, table.columns, strict=True):
        kind = type_of(each)
        values = (None if text is None else from_text(text, kind) for text in column.to_pylist())
        cells.append(encode(values, kind))
    return declared, cells

"""The REST API: routes, paging, uploads, errors."""

import gzip
import json
import re
import threading
import traceback
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlparse
from uuid import uuid4

from . import checks
from .errors import BigQueryError, not_found
from .jobs import ANONYMOUS, Jobs, rows_page
from .statements import QUERY_SECONDS, Engine
from .storage import Table
from .types import type_of

ROUTES = []


def route(method: str, pattern: str):
    """Answer a method on a path below /projects/<project>; groups become arguments."""

    def register(function):
        full = re.compile(f"(?:/bigquery/v2)?/projects/[^/]+{pattern}")
        ROUTES.append((method.split("|"), full, function))
        return function

    return register


class Endpoint:
    """A local BigQuery on 127.0.0.1, in threads of this process.

    with Endpoint(project="goodoc-test") as endpoint:
        endpoint.url, endpoint.report()
    """

    def __init__(self, project="goodoc-test", port=0, query_seconds=QUERY_SECONDS):
        self.engine = Engine(project, query_seconds)
        self.jobs = Jobs(self.engine)
        self.lock = threading.RLock()
        self.uploads: dict[str, tuple[dict, bytearray]] = {}
        handler = type("Handler", (Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def report(self) -> dict:
        """What happened so far, see `Report`."""
        with self.lock:
            report = vars(self.engine.report)
            return json.loads(json.dumps(report))

    def __enter__(self) -> "Endpoint":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def warehouse(self):
        return self.engine.warehouse

    # -------------------------------------------------------------- datasets

    @route("GET", "/datasets")
    def list_datasets(self, query, body):
        found = [
            {key: dataset[key] for key in ("id", "datasetReference", "location")}
            for dataset in self.warehouse.datasets.values()
        ]
        return paged("bigquery#datasetList", "datasets", found, query)

    @route("POST", "/datasets")
    def insert_dataset(self, query, body):
        name = body["datasetReference"]["datasetId"]
        checks.check_labels(body.get("labels", {}))
        self.warehouse.create_dataset(name, body)
        return self.warehouse.datasets[name]

    @route("GET", "/datasets/([^/]+)")
    def get_dataset(self, query, body, name):
        return self.warehouse.dataset(name)

    @route("PATCH|PUT", "/datasets/([^/]+)")
    def patch_dataset(self, query, body, name):
        checks.check_labels(body.get("labels") or {})
        changed = merged(self.warehouse.dataset(name), body)
        self.warehouse.datasets[name] = changed
        return changed

    @route("DELETE", "/datasets/([^/]+)")
    def delete_dataset(self, query, body, name):
        self.warehouse.drop_dataset(name, query.get("deleteContents") == "true")

    @route("GET", "/datasets/([^/]+)/routines")
    def list_routines(self, query, body, dataset):
        self.warehouse.dataset(dataset)
        return {"routines": []}

    @route("GET", "/datasets/([^/]+)/routines/([^/]+)")
    def get_routine(self, query, body, dataset, name):
        raise not_found("Routine", f"{dataset}.{name}")

    # -------------------------------------------------------------- tables

    @route("GET", "/datasets/([^/]+)/tables")
    def list_tables(self, query, body, dataset):
        self.warehouse.dataset(dataset)
        wanted = (
            "kind",
            "id",
            "tableReference",
            "type",
            "labels",
            "creationTime",
            "expirationTime",
        )
        wanted += ("timePartitioning", "rangePartitioning", "clustering")
        found = [
            {key: table.resource[key] for key in wanted if key in table.resource}
            for (name, _), table in sorted(self.warehouse.tables.items())
            if name == dataset
        ]
        return paged("bigquery#tableList", "tables", found, query)

    @route("POST", "/datasets/([^/]+)/tables")
    def insert_table(self, query, body, dataset):
        name = body["tableReference"]["tableId"]
        self.warehouse.dataset(dataset)
        if (dataset, name) in self.warehouse.tables:
            message = f"Already Exists: Table {self.warehouse.project}:{dataset}.{name}"
            raise BigQueryError(409, "duplicate", message)
        fields = body.get("schema", {}).get("fields", [])
        settings = {k: v for k, v in body.items() if k not in ("schema", "view", "tableReference")}
        check_resource(body, fields)
        checks.check_settings(fields, body)
        if "view" in body:
            table = self.engine.new_view((dataset, name), body["view"]["query"], **settings)
        else:
            table = self.warehouse.new_table(dataset, name, fields, **settings)
        return described(self.warehouse.put(table))

    @route("GET", "/datasets/([^/]+)/tables/([^/]+)")
    def get_table(self, query, body, dataset, name):
        if dataset == ANONYMOUS:
            return self.jobs.result_table(name)
        return described(self.warehouse.table(dataset, name.partition("$")[0]))

    @route("PATCH|PUT", "/datasets/([^/]+)/tables/([^/]+)")
    def patch_table(self, query, body, dataset, name):
        table = self.warehouse.table(dataset, name)
        if query["etag"] not in (None, str(table.version)):
            raise BigQueryError(412, "conditionNotMet", "Precondition check failed.")
        fields = body.pop("schema", {}).get("fields")
        check_resource(body, fields or [])
        view = body.pop("view", None)
        body = {key: value for key, value in body.items() if key not in ("tableReference", "etag")}
        if view and view["query"] != table.query:
            table = self.engine.new_view(table.key, view["query"], **settings_of(table))
        if fields is not None:
            check_schema_change(table, fields)
            table = table.with_fields(fields)
        changed = merged(table.resource, body)
        gone = {key: None for key in table.resource.keys() - changed.keys()}
        return described(self.warehouse.put(table.with_resource(**changed, **gone)))

    @route("DELETE", "/datasets/([^/]+)/tables/([^/]+)")
    def delete_table(self, query, body, dataset, name):
        del self.warehouse.tables[self.warehouse.table(dataset, name).key]

    @route("GET", "/datasets/([^/]+)/tables/([^/]+)/data")
    def list_rows(self, query, body, dataset, name):
        start, limit = page_of(query)
        if dataset == ANONYMOUS:
            return self.jobs.results(name, start, limit)
        table = self.warehouse.table(dataset, name.partition("$")[0])
        if table.query:
            raise BigQueryError(400, "invalid", "Cannot list a table of type VIEW.")
        fields, cells = table.fields, table.cells
        if chosen := query.get("selectedFields"):
            names = chosen.split(",")
            pairs = [p for p in zip(fields, cells, strict=True) if p[0]["name"] in names]
            fields, cells = [p[0] for p in pairs], [p[1] for p in pairs]
        return {"kind": "bigquery#tableDataList"} | rows_page(
            fields, cells, table.count, start, limit
        )

    # -------------------------------------------------------------- jobs

    @route("GET", "/jobs")
    def list_jobs(self, query, body):
        return paged("bigquery#jobList", "jobs", self.jobs.all()[::-1], query)

    @route("POST", "/jobs")
    def insert_job(self, query, body):
        return self.jobs.insert(body)

    @route("GET", "/jobs/([^/]+)")
    def get_job(self, query, body, job_id):
        return self.jobs.get(job_id)

    @route("POST", "/jobs/([^/]+)/cancel")
    def cancel_job(self, query, body, job_id):
        return {"kind": "bigquery#jobCancelResponse", "job": self.jobs.get(job_id)}

    @route("GET", "/queries/([^/]+)")
    def get_results(self, query, body, job_id):
        return self.jobs.results(job_id, *page_of(query))

    @route("POST", "/queries")
    def query(self, query, body):
        settings = ("dryRun", "labels", "jobTimeoutMs")
        request = {key: value for key, value in body.items() if key not in settings}
        request["useLegacySql"] = body.get("useLegacySql", False)
        configuration = {key: body[key] for key in settings if key in body} | {"query": request}
        job = self.jobs.insert({"configuration": configuration})
        if body.get("dryRun"):
            return {"jobComplete": True, "schema": job["statistics"]["query"]["schema"]}
        return self.jobs.results(job["jobReference"]["jobId"], 0, body.get("maxResults"))


def page_of(query: dict) -> tuple[int, int | None]:
    start = int(query.get("pageToken") or query.get("startIndex") or 0)
    return start, int(query["maxResults"]) if "maxResults" in query else None


def paged(kind: str, name: str, items: list, query: dict) -> dict:
    start, limit = page_of(query)
    end = start + (limit or 1000)
    answer = {"kind": kind, name: items[start:end], "totalItems": len(items)}
    return answer | ({"nextPageToken": str(end)} if end < len(items) else {})


def merged(old: dict, changes: dict) -> dict:
    """A resource after PATCH: null takes an entry away, labels are merged key by key."""
    new = dict(old)
    for key, value in changes.items():
        if key == "labels" and value is not None:
            value = {k: v for k, v in (old.get("labels", {}) | value).items() if v is not None}
        if value is None:
            new.pop(key, None)
        else:
            new[key] = value
    return new


def described(table: Table) -> dict:
    """A table as tables.get gives it."""
    shown = {key: value for key, value in table.resource.items() if not key.startswith("_")}
    shown["etag"] = str(table.version)
    shown.setdefault("lastModifiedTime", shown["creationTime"])
    if not table.query:
        shown |= {"numRows": str(table.count), "numBytes": str(table.size)}
    return shown


def settings_of(table: Table) -> dict:
    keep = ("description", "friendlyName", "labels", "expirationTime", "_grants")
    return {key: table.resource[key] for key in keep if key in table.resource}


def check_resource(body: dict, fields: list[dict]):
    checks.check_labels(body.get("labels") or {})
    for each in fields:
        tags = each.get("policyTags", {}).get("names", [])
        if len(tags) > 1 or not all(
            re.fullmatch(r"projects/[^/]+/locations/[^/]+/taxonomies/[^/]+/policyTags/[^/]+", tag)
            for tag in tags
        ):
            raise BigQueryError(400, "invalid", f"Invalid policy tag of {each['name']}: {tags}")


def check_schema_change(table: Table, fields: list[dict]):
    """A PATCH may add and describe columns, not retype or drop them."""
    new = {each["name"].lower(): each for each in fields}
    for old in table.fields:
        each = new.get(old["name"].lower())
        if each is None:
            raise table.mismatch(f"Field {old['name']} is missing in new schema")
        if type_of(each) != type_of(old):
            raise table.mismatch(f"Field {old['name']} has changed type")
        for key in ("precision", "scale", "maxLength"):
            if key in old:
                each.setdefault(key, old[key])


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, finds the route, writes JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    endpoint: Endpoint

    def log_message(self, *_):
        """Nothing: tests read the report instead."""

    def do_GET(self):
        url = urlparse(self.path)
        query, data = dict(parse_qsl(url.query)), self._body()
        query["etag"] = self.headers.get("If-Match")
        try:
            self._answer(url.path, query, data)
        except BigQueryError as error:
            detail = {"reason": error.reason, "message": error.message, "domain": "global"}
            failure = {"code": error.status, "message": error.message, "errors": [detail]}
            self._send(error.status, {"error": failure})
        except Exception as error:  # a defect of the endpoint: say so, and let no client retry it
            traceback.print_exc()
            detail = {"reason": "notImplemented", "message": f"local endpoint: {error!r}"}
            failure = {"code": 501, "message": detail["message"], "errors": [detail]}
            self._send(501, {"error": failure})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            data = b"".join(parts)
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _answer(self, path: str, query: dict, data: bytes):
        endpoint = self.endpoint
        if path == "/report":
            return self._send(200, endpoint.report())
        if path == "/token":
            token = {"access_token": "local", "expires_in": 3600, "token_type": "Bearer"}
            return self._send(200, token)
        if "/upload/" in path:
            return self._upload(path, query, data)
        for methods, pattern, function in ROUTES:
            if self.command in methods and (match := pattern.fullmatch(path)):
                body = json.loads(data) if data else {}
                with endpoint.lock:
                    answer = function(endpoint, query, body, *map(unquote, match.groups()))
                return self._send(200 if answer is not None else 204, answer)
        raise not_found("Route", f"{self.command} {path}")

    def _upload(self, path: str, query: dict, data: bytes):
        """Load jobs with their file: in one multipart request, or resumable in several."""
        uploads = self.endpoint.uploads
        if query.get("uploadType") == "multipart":
            header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            job, file = (
                part.get_payload(decode=True)
                for part in message_from_bytes(header + data).get_payload()
            )
            return self._load(json.loads(job), file)
        if self.command == "POST":
            token = uuid4().hex
            uploads[token] = json.loads(data), bytearray()
            place = f"http://{self.headers['Host']}{path}?uploadType=resumable&upload_id={token}"
            return self._send(200, None, {"Location": place})
        body, file = uploads[query["upload_id"]]
        file += data
        if self.headers.get("Content-Range", "").endswith("/*"):
            return self._send(308, None, {"Range": f"bytes=0-{len(file) - 1}"})
        del uploads[query["upload_id"]]
        return self._load(body, bytes(file))

    def _load(self, body: dict, file: bytes):
        with self.endpoint.lock:
            self._send(200, self.endpoint.jobs.insert(body, file))

    def _send(self, status: int, answer: dict | None, headers: dict | None = None):
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

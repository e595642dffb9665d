"""Files in a bucket: fetched once, hashed on the way, gone from here when they have landed."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from conftest import Lab
from engines import on_engines
from extract_load.readers.files import File, storage

SECRET = "canary-secret-9f2"
SOURCE = """\
    source: drops
    description: Files in a bucket.
    reader: files
    root: ROOT
    storage: STORAGE
    tables:
      rows:
        description: One row is a row.
        path: ["*.csv*", "*.zip", "deep/**/*.csv"]
        columns: {code: string none, amount: bigint none}
"""
ROWS = b"code,amount\n"


class Bucket:
    """A bucket that can be written to, and what was asked of it."""

    def __init__(self, lab: Lab, root: str, options: str):
        self.lab, self.root, self.options = lab, root, options

    def declare(self, root: str = "", options: str = "") -> None:
        text = SOURCE.replace("ROOT", root or self.root)
        self.lab.declare(text.replace("STORAGE", options or self.options), "drops")

    def put(self, name: str, content: bytes) -> None:
        raise NotImplementedError


class S3(Bucket):
    def __init__(self, lab: Lab, url: str):
        options = f"{{endpoint_url: '{url}', key: test, secret: '${{CANARY}}'}}"
        super().__init__(lab, "s3://drops/in", options)
        self.client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        self.client.create_bucket(Bucket="drops")

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket="drops", Key=f"in/{name}", Body=content)


class Gcs(Bucket):
    """The part of Google's JSON API that reading needs."""

    def __init__(self, lab: Lab):
        self.objects: dict[str, tuple[bytes, int]] = {}
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                name = unquote(path.partition("/o/")[2])
                status, body = 200, b""
                if path.startswith("/download/") and name in bucket.objects:
                    body = bucket.objects[name][0]
                    if wanted := self.headers.get("Range"):
                        first, _, last = wanted.removeprefix("bytes=").partition("-")
                        body, status = body[int(first) : int(last) + 1], 206
                elif name in bucket.objects:
                    body = json.dumps(bucket.about(name)).encode()
                elif name or "/b/drops" not in path:
                    status = 404
                else:
                    start = query.get("prefix", [""])[0]
                    names = [name for name in bucket.objects if name.startswith(start)]
                    body = json.dumps({"items": [bucket.about(name) for name in names]}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        super().__init__(lab, "gs://drops/in", f"{{endpoint_url: '{self.url}', token: anon}}")

    def put(self, name: str, content: bytes) -> None:
        self.objects[f"in/{name}"] = (content, len(self.objects) + 1)

    def about(self, name: str) -> dict[str, str]:
        content, generation = self.objects[name]
        return {
            "kind": "storage#object", "name": name, "bucket": "drops", "size": str(len(content)),
            "updated": "2026-01-01T00:00:00.000Z", "etag": f"v{generation}-{hash(content)}",
            "mediaLink": f"{self.url}/download/storage/v1/b/drops/o/{name}?alt=media",
        }  # fmt: skip


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(params=["s3", "gs"])
def bucket(
    request: pytest.FixtureRequest, lab: Lab, moto: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    monkeypatch.setenv("CANARY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(lab.folder / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(lab.folder / "none"))
    found = S3(lab, moto) if request.param == "s3" else Gcs(lab)
    found.declare()
    yield found
    if isinstance(found, S3):
        for thing in found.client.list_objects_v2(Bucket="drops").get("Contents", []):
            found.client.delete_object(Bucket="drops", Key=thing["Key"])
    else:
        found.server.shutdown()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that a bucket was asked for, whose copies are for nobody else's eyes."""
    names: list[str] = []
    take = storage.Bucket.take

    def noted(self: storage.Bucket, file: File, copy: Callable[[], Path]) -> File:
        names.append(file.name)
        taken = take(self, file, copy)
        assert taken.path.stat().st_mode & 0o777 == 0o600
        return taken

    monkeypatch.setattr(storage.Bucket, "take", noted)
    return names


def counts(lab: Lab) -> tuple[int, int, int]:
    (table,) = lab.load().tables
    assert table.error is None, table.error
    assert list((lab.folder / "landing").iterdir()) == []
    return table.counts.read, table.counts.loaded, table.counts.quarantined


@on_engines("duckdb")
def test_a_bucket_is_read_and_unchanged_files_are_not_fetched_again(
    lab: Lab, bucket: Bucket, fetched: list[str]
) -> None:
    bucket.put("a.csv", ROWS + b"a,1\n")
    bucket.put("deep/er/b.csv", ROWS + b"b,2\n")
    bucket.put("deep/c.csv", ROWS + b"c,x\n")
    bucket.put("other.txt", b"no")
    assert counts(lab) == (3, 2, 1)
    assert lab.query("select _file, code from raw_drops.rows order by 1") == [
        ("a.csv", "a"),
        ("deep/er/b.csv", "b"),
    ]
    assert sorted(fetched) == ["a.csv", "deep/c.csv", "deep/er/b.csv"]
    fetched.clear()
    assert counts(lab) == (0, 0, 0)
    assert fetched == []
    # same size, same second: the ETag tells
    bucket.put("a.csv", ROWS + b"a,9\n")
    assert counts(lab) == (1, 1, 0)
    assert fetched == ["a.csv"]
    assert lab.query("select amount from raw_drops.rows where _file = 'a.csv'") == [(9,)]


@on_engines("duckdb")
def test_what_says_the_same_is_fetched_once_and_lands_once(
    lab: Lab, bucket: Bucket, fetched: list[str]
) -> None:
    bucket.put("a.csv", ROWS + b"a,1\n")
    bucket.put("b.csv", ROWS + b"a,1\n")
    assert counts(lab) == (1, 1, 0)
    fetched.clear()
    assert counts(lab) == (0, 0, 0)
    assert fetched == []


@on_engines("duckdb")
def test_an_archive_in_a_bucket_is_unpacked_here(
    lab: Lab, bucket: Bucket, fetched: list[str]
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("one.csv", ROWS + b"a,1\n")
        archive.writestr("two.csv", ROWS + b"b,2\n")
    bucket.put("a.zip", content.getvalue())
    assert counts(lab) == (2, 2, 0)
    assert lab.query("select _file from raw_drops.rows order by 1") == [
        ("a.zip/one.csv",),
        ("a.zip/two.csv",),
    ]
    assert counts(lab) == (0, 0, 0)
    assert fetched == ["a.zip"]


@on_engines("duckdb")
def test_a_file_that_changes_while_it_is_fetched_is_left_for_the_next_run(
    lab: Lab, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.csv", ROWS + b"a,1\n")
    bucket.put("b.csv", ROWS + b"b,1\n")
    copied = storage.copied

    def meddled(*arguments: object) -> tuple[int, str]:
        result = copied(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(storage, "copied", copied)
        bucket.put("a.csv", ROWS + b"a,2\n")
        return result

    monkeypatch.setattr(storage, "copied", meddled)
    (table,) = lab.load().tables
    assert table.counts.loaded == 1
    assert "a.csv changed while it was read: left for the next run" in table.notes
    assert counts(lab) == (1, 1, 0)
    assert lab.query("select amount from raw_drops.rows where _file = 'a.csv'") == [(2,)]


@on_engines("duckdb")
def test_one_line_and_no_secret_where_a_bucket_cannot_be_read(
    lab: Lab, moto: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CANARY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    secret = "key: test, secret: '${CANARY}'"
    bucket = Bucket(lab, "s3://drops/in", "{}")
    retries = "config_kwargs: {retries: {max_attempts: 0}, connect_timeout: 1}"
    cases = {
        f"{{endpoint_url: 'http://127.0.0.1:9/${{CANARY}}', {secret}, {retries}}}": (
            "EndpointConnectionError"
        ),
        f"{{nonsense: '${{CANARY}}', {secret}}}": "TypeError",
        f"{{endpoint_url: '{moto}', {secret}}}": "no such bucket",
    }
    for options, expected in cases.items():
        bucket.declare("s3://nowhere/in", options)
        (table,) = lab.load().tables
        assert table.error and expected in table.error and "s3://nowhere/in" in table.error
        assert SECRET not in table.error and "\n" not in table.error
    assert SECRET not in caplog.text


@on_engines("duckdb")
def test_a_root_of_another_kind_is_refused(lab: Lab) -> None:
    Bucket(lab, "http://127.0.0.1/x", "{}").declare()
    (table,) = lab.load().tables
    assert table.error and "drops.yml:4: root is a folder, s3://… or gs://…" in table.error

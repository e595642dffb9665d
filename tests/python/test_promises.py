"""What an operator is promised whatever happens, whichever reader is at work."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import Goodoc

CALL = [sys.executable, "-c", "from goodoc.cli import main; main()"]


def drops(number: int, root: str = "DROPS") -> str:
    return textwrap.dedent(f"""\
        source: drops_{number}
        description: Dropped files.
        reader: files
        root: ${{{root}}}
        tables:
          rows:
            description: One row is a row.
            path: "{number}_*.csv"
            columns: {{code: string none, amount: bigint none}}
        """)


@pytest.fixture
def folder(goodoc: Goodoc, tmp_path: Path) -> Path:
    """A company's own sources and files; what there is so far is up to the test."""
    for name in ("sources", "drops"):
        (tmp_path / name).mkdir()
    goodoc.environment |= {
        "GOODOC_SOURCES": str(tmp_path / "sources"), "DROPS": str(tmp_path / "drops"),
    }  # fmt: skip
    return tmp_path


def write_rows(folder: Path, name: str, rows: int) -> None:
    body = "".join(f"{name}-{n:07},{n}\n" for n in range(rows))
    (folder / "drops" / name).write_text("code,amount\n" + body)


def count(goodoc: Goodoc, number: int) -> int:
    return goodoc.query(f"select count(*) from raw_drops_{number}.rows")[0][0]


def test_of_thirty_sources_with_three_broken_ones_twenty_seven_land(
    goodoc: Goodoc, folder: Path
) -> None:
    for number in range(30):
        root = "NOWHERE" if number in (3, 14, 27) else "DROPS"
        (folder / "sources" / f"drops_{number}.yml").write_text(drops(number, root))
        write_rows(folder, f"{number}_a.csv", 2)
    result = goodoc("load", "--json", NOWHERE=str(folder / "gone"))
    assert result.returncode == 1
    tables = json.loads(result.stdout)["tables"]
    assert {table["source"] for table in tables if table["error"]} == {
        "drops_3", "drops_14", "drops_27",
    }  # fmt: skip
    assert sum(table["loaded"] for table in tables) == 27 * 2


def test_a_command_that_is_asked_to_stop_stops_at_once_and_the_next_catches_up(
    goodoc: Goodoc, folder: Path
) -> None:
    (folder / "sources" / "drops_0.yml").write_text(drops(0))
    write_rows(folder, "0_a.csv", 1_500_000)
    process = subprocess.Popen(
        [*CALL, "load"], env=goodoc.environment, cwd=folder, stderr=subprocess.DEVNULL
    )
    while not list((goodoc.home / "landing").glob("*.parquet")):
        assert process.poll() is None, "the load was over before it could be stopped"
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) != 0
    assert goodoc("load").returncode == 0
    assert count(goodoc, 0) == 1_500_000
    assert list((goodoc.home / "landing").iterdir()) == []


def test_a_full_disk_leaves_the_old_rows_readable_and_the_next_run_goes_on(
    goodoc: Goodoc, folder: Path
) -> None:
    (folder / "sources" / "drops_0.yml").write_text(drops(0))
    write_rows(folder, "0_a.csv", 1000)
    assert goodoc("load").returncode == 0
    write_rows(folder, "0_b.csv", 1_500_000)

    def small_disk() -> None:  # no file may grow beyond a megabyte, as if that were the room left
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    full = subprocess.run(
        [*CALL, "load"], env=goodoc.environment, cwd=folder, capture_output=True, text=True,
        preexec_fn=small_disk,
    )  # fmt: skip
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert len(full.stderr.strip().splitlines()) <= 2, full.stderr
    assert count(goodoc, 0) == 1000
    assert goodoc("load").returncode == 0
    assert count(goodoc, 0) == 1_501_000


def test_a_backfill_beside_the_daily_run_lands_each_row_once(goodoc: Goodoc, folder: Path) -> None:
    (folder / "sources" / "drops_0.yml").write_text(drops(0))
    write_rows(folder, "0_a.csv", 200_000)
    assert goodoc("load").returncode == 0
    write_rows(folder, "0_b.csv", 200_000)
    environment = goodoc.environment | {"GOODOC_LOCK_WAIT": "60"}
    runs = [
        subprocess.Popen([*CALL, *command], env=environment, cwd=folder, stderr=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL)
        for command in (("load",), ("load", "--since", "2020-01-01"))
    ]  # fmt: skip
    assert [run.wait() for run in runs] == [0, 0]
    assert count(goodoc, 0) == 400_000


# -- secrets -----------------------------------------------------------------------------------

CANARIES = ("canary-token-5d1f", "canary-password-77aa", "canary-tap-c3d9", "canary-bucket-e210")


class Api(BaseHTTPRequestHandler):
    """Answers with two rows, or with a failure that repeats what it was asked."""

    fails = False

    def do_GET(self) -> None:
        text = '[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]'
        if self.fails:
            text = f"no: {self.path} {self.headers}"
        self.send_response(500 if self.fails else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


TAP = """\
#!{python}
import json, sys
config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
schema = {{"properties": {{"id": {{"type": "integer"}}}}}}
if "--discover" in sys.argv:
    print(json.dumps({{"streams": [{{"tap_stream_id": "rows", "stream": "rows", "schema": schema,
                                     "key_properties": ["id"], "metadata": []}}]}}))
    sys.exit()
if "{fails}":
    sys.exit(f"can't sign in with {{config['password']}}")
message = {{"type": "SCHEMA", "stream": "rows", "schema": schema, "key_properties": ["id"]}}
print(json.dumps(message))
print(json.dumps({{"type": "RECORD", "stream": "rows", "record": {{"id": 1}}}}))
"""

SECRET_SOURCES = {
    "web": """\
        source: web
        description: A web API.
        reader: rest
        client:
          base_url: ${API_URL}
          paginator: single_page
          retry: {attempts: 1}
          auth: {type: api_key, name: api_key, api_key: "${API_TOKEN}", location: query}
        tables:
          rows:
            description: One row is a row.
            key: [id]
            endpoint: {path: rows, data_selector: $}
            columns: {id: bigint none, name: string none}
        """,
    "shop": """\
        source: shop
        description: A database.
        reader: database
        connection: ${SHOP_URL}
        tables:
          rows:
            description: One row is a row.
            mode: full
            key: [id]
            columns: {id: bigint none}
        """,
    "tapped": """\
        source: tapped
        description: A tap.
        reader: singer
        tap: {executable: tap-canary, config: {password: "${TAP_PASSWORD}"}}
        tables:
          rows:
            description: One row is a row.
            mode: full
            key: [id]
            columns: {id: bigint none}
        """,
    "bucket": """\
        source: bucket
        description: A bucket.
        reader: files
        root: s3://no-such-bucket/drops
        storage: {endpoint_url: "http://127.0.0.1:9", key: key, secret: "${BUCKET_SECRET}"}
        tables:
          rows:
            description: One row is a row.
            path: "*.csv"
            columns: {id: bigint none}
        """,
}


@pytest.mark.parametrize("fails", [False, True], ids=["good run", "failing run"])
def test_no_secret_is_in_any_output_or_file(
    goodoc: Goodoc, folder: Path, api: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Api, "fails", fails)
    for name, text in SECRET_SOURCES.items():
        (folder / "sources" / f"{name}.yml").write_text(textwrap.dedent(text))
    tap = folder / "tap-canary"
    tap.write_text(TAP.format(python=sys.executable, fails="yes" if fails else ""))
    tap.chmod(0o700)
    with sqlite3.connect(folder / "shop.sqlite") as connection:
        connection.execute("create table rows (id integer)")
    shop = f"sqlite:///{folder}/shop.sqlite"
    environment = {
        "API_URL": api, "API_TOKEN": CANARIES[0], "TAP_PASSWORD": CANARIES[2],
        "SHOP_URL": f"postgresql://me:{CANARIES[1]}@127.0.0.1:1/x" if fails else shop,
        "BUCKET_SECRET": CANARIES[3], "PATH": f"{folder}:{os.environ['PATH']}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    said = ""
    for command in (("load", "--json"), ("status",), ("sources", "check")):
        result = goodoc(*command, **environment)
        said += result.stdout + result.stderr
        assert "Traceback" not in result.stderr, result.stderr
        if command == ("load", "--json"):
            errors = {t["source"]: t["error"] for t in json.loads(result.stdout)["tables"]}
            # the bucket is never there
            broken = {"web", "shop", "tapped", "bucket"} if fails else {"bucket"}
            assert {source for source, error in errors.items() if error} == broken, errors
    for canary in CANARIES:
        assert canary not in said
        for path in goodoc.home.rglob("*"):
            assert canary.encode() not in str(path).encode()
            if path.is_file():
                assert canary.encode() not in path.read_bytes(), path
                assert path.stat().st_mode & 0o077 == 0, path
    assert list((goodoc.home / "landing").iterdir()) == []

"""The media's web APIs on a port of this machine: the host that a request names says which."""

import json
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simulator.media import apis
from simulator.media.figures import Books, Figures, Strict
from simulator.media.web import Answer, Asked


class StandIn:
    """Answers for every API what is known of the company in `out` after its last day."""

    def __init__(self, out: Path, strict: bool = False) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._truth = Path(out) / "truth.json"
        self._made: tuple[Any, ...] = ()
        self._books: Books | None = None
        self._jobs: dict[str, Any] = {}
        self._strict = Strict() if strict else None
        self._lock = threading.RLock()
        self._apis: dict[str, list[ModuleType]] = {}
        for module in apis.modules().values():
            for host in module.HOSTS:
                self._apis.setdefault(host.lower(), []).append(module)

    @property
    def books(self) -> Books:
        """The figures as known on the morning after the last day; anew when one was added."""
        with self._lock:
            stamp = self._truth.stat()
            made = (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)
            if self._books is None or made != self._made:
                self.close()
                self._books, self._made = self._open(), made
            return self._books

    def _open(self) -> Books:
        truth = json.loads(self._truth.read_text(encoding="utf-8"))
        today = date.fromisoformat(truth["last_day"]) + timedelta(days=1)
        start = date.fromisoformat(truth["start"])
        figures = Figures(truth["seed"], truth["scale"], start, [today])
        return Books(figures, today, self._strict, self._jobs)

    def close(self) -> None:
        """Free what the figures take."""
        with self._lock:
            if self._books:
                self._books.close()
            self._books = None

    def answer(self, asked: Asked) -> Answer:
        """The answer of the API whose host was asked."""
        with self._lock:
            self.asked.append(asked)
            modules = self._apis.get(asked.host)
            if not modules:
                return Answer({"error": f"no API of a medium at {asked.host}"}, 404)
            if self._strict and self._strict.is_first("busy", asked.host):
                busy = getattr(modules[0], "busy", None)
                return busy() if busy else Answer("too often", 429, {"Retry-After": "0"})
            # Several media of a house share a host (its sign-in): the one that knows answers.
            answers = [self._ask(module, asked) for module in modules[:1]]
            for module in modules[1:]:
                if answers[-1].status < 400:
                    break
                answers.append(self._ask(module, asked))
            return min(answers, key=lambda said: (said.status >= 400, said.status == 404))

    def _ask(self, module: ModuleType, asked: Asked) -> Answer:
        try:
            return module.answer(asked, self.books) or Answer("not found", 404)
        except Exception:
            return Answer(f"{module.__name__}: {traceback.format_exc()}", 500)


@contextmanager
def serving(out: Path, strict: bool = False) -> Iterator[StandIn]:
    """A stand-in for the media of the company in `out`, with what it was asked."""
    stand_in = StandIn(out, strict)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer leaves as one piece
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                host=(self.headers.get("Host") or "").rsplit(":", 1)[0].lower(),
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                target=self.path,
            )
            answer = stand_in.answer(asked)
            data = answer.data
            self.send_response(answer.status)
            headers = {"Content-Type": answer.kind, "Content-Length": str(len(data))}
            for name, value in (headers | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield stand_in
    finally:
        listening.shutdown()
        listening.server_close()
        stand_in.close()


@contextmanager
def serve(out: Path, strict: bool = False) -> Iterator[str]:
    """The base URL of a stand-in for the media of the company in `out`.

    `strict`: small pages, reports that take a while, tokens that run out, and each host is too
    busy at first.
    """
    with serving(out, strict) as stand_in:
        yield stand_in.url

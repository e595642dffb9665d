"""A web API on this machine, for tests: each path answers what a test's function says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep  # by name: tests replace `time.sleep`
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simulator.media import web
from simulator.media.web import Asked


@dataclass
class Answer(web.Answer):
    """What is sent back: `drip` seconds after each byte, `cut` bytes fewer than announced."""

    drip: float = 0.0
    cut: int = 0


@dataclass
class Server:
    """`answers` are functions by path, or by the start of a path that ends in a slash. What they
    return is sent; a list of answers is sent one by one, the last one for ever."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def at(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def answer(self, asked: Asked) -> Answer:
        places = [place for place in self.answers if place.endswith("/")]
        place = next((p for p in places if asked.path.startswith(p)), asked.path)
        said = self.answers.get(asked.path, self.answers.get(place))
        if said is None:
            return Answer({"error": "no such path"}, 404)
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(said, Callable):
            said = said(asked)
        return said if isinstance(said, Answer) else Answer(said)


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of 127.0.0.1."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                method=self.command,
                host=self.headers.get("Host") or "",
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
                target=self.path,
            )
            server.asked.append(asked)
            answer = server.answer(asked)
            data = answer.data
            self.send_response(answer.status)
            headers = {"Content-Type": answer.kind, "Content-Length": str(len(data) + answer.cut)}
            for name, value in (headers | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                if answer.drip:
                    for byte in data:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        sleep(answer.drip)
                else:
                    self.wfile.write(data)
            except OSError:  # the other side has had enough
                self.close_connection = True
            if answer.cut:
                self.close_connection = True

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.url = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()

"""What every request goes through, redirects and repetitions too: whom it may reach, who may know
the credentials, how fast it goes, and that an answer is whole before anybody looks at it."""

import io
import ipaddress
import json
import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from dlt.common import jsonpath
from dlt.sources.helpers.requests.retry import Client as RetryingClient
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection

from extract_load.readers import ReadError
from extract_load.readers.rest.grammar import Client, ErrorCode

_CHUNK = 64 * 1024
# refusals whose code may mean that the API is busy; others mean what their status says
_SAYS_WHY = (400, 403)
_PAGE_BYTES = 64 * 1024 * 1024
_FILE_BYTES = 16 * 1024 * 1024 * 1024
# all that another host than the API's own is told
_HARMLESS = {"accept", "accept-encoding", "connection", "content-length", "content-type"}
# when the last calls were, by API and account: tables share what an account may ask
_CALLS: dict[tuple[str, str], deque[float]] = {}


class BusyError(ReadError):
    """An answer that says, in its body, to come again later."""


class Number(float):
    """A number as it stands in the body, digit by digit."""

    def __new__(cls, text: str) -> "Number":
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def host(url: str | None) -> str:
    """The host of an address: all of it that a message may say."""
    return urlsplit(url or "").hostname or "an address without host"


def word(text: str) -> str:
    """A code or state for a message, where it is short enough to be no more than that."""
    return text if re.fullmatch(r"[\w.-]{1,40}", text) else "that is no word"


def stand_in() -> str | None:
    """Where a simulated company answers in place of every web API: GOODOC_API_STAND_IN, on this
    machine only. Raises ReadError for any other address."""
    url = os.environ.get("GOODOC_API_STAND_IN", "").rstrip("/")
    if not url:
        return None
    parts, address = urlsplit(url), _address(host(url))
    if parts.scheme != "http" or not (address and address.is_loopback) or parts.path:
        raise ReadError("GOODOC_API_STAND_IN is no address of this machine, as http://127.0.0.1:80")
    return url


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class _Checked:
    """A connection that ends before a word is said where a name leads into a private network."""

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        peer = _address(connection.getpeername()[0].partition("%")[0])
        written_out = self.host == "localhost" or _address(self.host)  # type: ignore[attr-defined]
        if not written_out and not (peer and peer.is_global):
            connection.close()
            raise ReadError(
                f"{self.host} leads to a private address: refused"  # type: ignore[attr-defined]
            )
        return connection


class _PlainConnection(_Checked, HTTPConnection):
    pass


class _SecureConnection(_Checked, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Guard(HTTPAdapter):
    """Sends requests of one API. Only `url`'s host gets the credentials, headers and bodies.

    A streamed answer's `raw` is a file in `folder` that ends when it is closed. Raises ReadError.
    """

    def __init__(
        self,
        client: Client,
        url: str,
        folder: Path | None,
        auth: AuthBase | None = None,
        error: ErrorCode | None = None,
    ):
        self.client, self.folder, self.auth, self.error = client, folder, auth, error
        self.own = origin(url)
        self.account = ""
        self.stand_in = stand_in()
        self.hosts = {host(client.base_url), *map(str.lower, client.hosts)}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def allow(self, url: str | None) -> None:
        """Raises ReadError where the declaration doesn't let the source go to an address."""
        scheme, name = urlsplit(url or "").scheme, host(url)
        if name not in self.hosts and not any(
            listed.startswith("*.") and name.endswith(listed[1:]) for listed in self.hosts
        ):
            raise ReadError(f"{name} is not among `hosts`: refused")
        address = _address(name)
        loopback = name == "localhost" or (address and address.is_loopback)
        if scheme != "https" and not (loopback and scheme == "http"):
            raise ReadError(f"{name}: {scheme} is not safe, only https is: refused")

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, **options: Any
    ) -> requests.Response:
        self.allow(request.url)
        own = origin(request.url or "") == self.own
        if not own and request.body:
            raise ReadError(f"a request to {host(request.url)} would tell it the body: refused")
        response = self._sent(request, own, stream, options)
        if own and response.status_code == 401 and hasattr(self.auth, "renew"):
            self.auth.renew()
            response = self._sent(request, own, stream, options)
        wait = _retry_after(response)
        if wait > self.client.retry.longest:
            raise ReadError(
                f"{host(request.url)} asks to wait {wait:.0f} s, longer than `retry` allows:"
                " run it again later"
            )
        if own and not stream and (response.status_code < 400 or response.status_code in _SAYS_WHY):
            self._judge(response)
        return response

    def _sent(
        self, request: requests.PreparedRequest, own: bool, stream: bool, options: dict[str, Any]
    ) -> requests.Response:
        request = request.copy()  # signed anew each time it is sent
        if own and self.auth:
            request = self.auth(request)
        if not own:
            for name in set(request.headers):
                if name.lower() not in _HARMLESS:
                    del request.headers[name]
        self._pace(own)
        started = time.monotonic()
        options["timeout"] = self.client.timeout
        response = super().send(self._directed(request), stream=True, **options)
        response.request, response.url = request, request.url  # wherever it went
        stream = stream and response.status_code < 300  # others are short, or should be
        sink = self._sink(stream)
        try:
            self._drain(response, sink, started, _FILE_BYTES if stream else _PAGE_BYTES)
        except BaseException:
            sink.close()
            response.close()
            raise
        if stream:
            sink.flush()
            response.raw = sink
        else:
            response._content = sink.getvalue()
            response.json = _parsed(response)  # type: ignore[method-assign]
        response._content_consumed = True
        return response

    def _directed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request as it is, or to the stand-in: signed, with path and host as if it weren't."""
        if self.stand_in is None:
            return request
        directed = request.copy()
        directed.headers["Host"] = urlsplit(request.url or "").netloc
        directed.url = f"{self.stand_in}{request.path_url}"
        return directed

    def _sink(self, stream: bool) -> Any:
        return tempfile.NamedTemporaryFile(dir=self.folder) if stream else io.BytesIO()

    def _drain(self, response: requests.Response, sink: Any, started: float, most: int) -> None:
        # a file's compression is undone where its ratio is watched
        while chunk := _next(response, decode=isinstance(sink, io.BytesIO)):
            sink.write(chunk)
            if time.monotonic() - started > self.client.deadline:
                raise ReadError(
                    f"{host(response.url)} was not done within {self.client.deadline:.0f} s"
                    " (`deadline`)"
                )
            if sink.tell() > most:
                raise ReadError(f"{host(response.url)} sends more than {most:,} bytes")

    def _pace(self, own: bool) -> None:
        limit = self.client.rate_limit
        if limit is None or not own or self.stand_in:
            return
        key = (self.own, self.account if limit.by == "account" else "")
        calls = _CALLS.setdefault(key, deque())
        while len(calls) >= limit.calls:
            time.sleep(max(0.0, calls.popleft() + limit.per - time.monotonic()))
        calls.append(time.monotonic())

    def _judge(self, response: requests.Response) -> None:
        if self.error is None:
            return
        try:
            codes = found(self.error.path, response.json())
        except ReadError:
            if response.status_code in _SAYS_WHY:  # the status says enough
                return
            raise
        code = _text(codes[0] if codes else None)
        is_busy = code in {_text(value) for value in self.error.retry}
        is_fine = code in {_text(value) for value in self.error.ok}
        if is_fine or (response.status_code in _SAYS_WHY and not is_busy):
            return
        kind = BusyError if is_busy else ReadError
        code = word(code) if codes else "nothing"
        raise kind(f"{host(response.url)} answers with error code {code}")


def _next(response: requests.Response, decode: bool) -> bytes:
    """What has come by now, at least a byte; b"" at the end."""
    try:
        return response.raw.read1(_CHUNK, decode_content=decode)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from None
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise requests.ConnectionError(error) from None


def retrying(client: Client, guard: Guard) -> requests.Session:
    """A session that repeats what may succeed later: 429 (Retry-After honoured), 5xx, broken and
    silent connections, and error codes that say so."""
    session = RetryingClient(
        raise_for_status=False,
        request_timeout=client.timeout,
        request_max_attempts=client.retry.attempts,
        request_backoff_factor=client.retry.wait,
        request_max_retry_delay=client.retry.longest,
        retry_condition=lambda _, error: isinstance(error, BusyError),
    ).session
    session.trust_env = False  # no credentials out of ~/.netrc, no proxy behind the guard's back
    session.headers.update({"User-Agent": "goodoc", "Accept-Encoding": "gzip"})
    session.mount("https://", guard)
    session.mount("http://", guard)
    return session


_compiled = cache(jsonpath.compile_path)


def found(path: str, value: Any) -> list[Any]:
    """All that a JSON path leads to."""
    return jsonpath.find_values(_compiled(path), value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def exact_json(data: bytes, charset: str | None) -> Any:
    """A JSON text, its numbers kept digit by digit. Raises ValueError and RecursionError."""
    text = data.decode(charset or "utf-8-sig", "replace")
    return json.loads(text, parse_float=Number, parse_int=_integer, parse_constant=_no_constant)


def _integer(text: str) -> int | Number:
    return int(text) if text != "-0" and len(text) < 4000 else Number(text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _parsed(response: requests.Response) -> Callable[..., Any]:
    @cache
    def parsed() -> Any:
        kind = response.headers.get("Content-Type", "no content type")
        try:
            return exact_json(response.content, response.encoding if "charset=" in kind else None)
        except (ValueError, LookupError, RecursionError):
            raise ReadError(
                f"{host(response.url)} answers with something that is no JSON"
                f" ({kind.partition(';')[0][:40]}, {len(response.content):,} bytes)"
            ) from None

    return lambda **_: parsed()


def _retry_after(response: requests.Response) -> float:
    """Seconds that a busy API asks to wait; 0 where it doesn't say."""
    text = response.headers.get("Retry-After", "").strip()
    if response.status_code not in (429, 503) or not text:
        return 0.0
    if text.isdigit():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0

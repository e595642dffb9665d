"""Asks a web API: pages, rows of parents, reports that are made on request, files."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator, OffsetPaginator
from dlt.sources.rest_api.config_setup import create_paginator, create_response_hooks
from pydantic import BaseModel

from extract_load.declaration import Source, Table
from extract_load.readers import ReadError
from extract_load.readers.rest import grammar
from extract_load.readers.rest.auth import authenticator
from extract_load.readers.rest.guard import Guard, found, host, retrying, word

Model = TypeVar("Model", bound=BaseModel)
Values = Mapping[str, Any]
_PAGES = 100_000


def _filled_in(source: Source, model: Model, *path: str) -> Model:
    """A declared setting with its environment variables."""
    plain = model.model_dump(by_alias=True, exclude_unset=True)
    return type(model).model_validate(source.filled(plain, *path))


class Api:
    """A source's API, its variables filled in. Use as a context manager.

    `folder` is where downloads are kept while they are read, `tokens` where refresh tokens are
    kept. Raises DeclarationError where a variable is not set, ReadError for all that goes wrong.
    """

    def __init__(self, source: Source, folder: Path | None, tokens: Path | None):
        assert source.client is not None
        self.source = source
        self.declared: dict[str, str] = {}  # paths, by what they are filled in
        self.client = _filled_in(source, source.client, "client")

        def token_session(url: str) -> requests.Session:
            return retrying(self.client, Guard(self.client, url, folder))

        file = tokens and tokens / f"{source.source}.json"
        auth = authenticator(self.client.auth, token_session, file)
        self.guard = Guard(self.client, self.client.base_url, folder, auth, self.client.error)
        self.guard.allow(self.client.base_url)
        self.session = retrying(self.client, self.guard)
        # all settings given, so that dlt looks for none in files and environment
        self.rest = _Client(
            self.client.base_url, session=self.session, config=RuntimeConfiguration()
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def endpoint(self, table: Table) -> grammar.Endpoint:
        assert table.endpoint is not None
        filled = _filled_in(self.source, table.endpoint, "tables", table.name, "endpoint")
        pairs = zip(_requests(filled), _requests(table.endpoint), strict=True)
        self.declared |= {mine.path: theirs.path for mine, theirs in pairs}
        if not (filled.body or filled.paginator or self.client.paginator):
            raise ReadError("say how the API pages: `paginator: single_page` where it doesn't")
        return filled

    def rows(self, table: Table, values: Values) -> Iterator[list[Any]]:
        """Pages of rows, for each row of the parent table where there is one."""
        endpoint = self.endpoint(table)
        for own in self._with_parents(endpoint, values):
            parent = {
                f"_{endpoint.parent}_{name}": _looked_up(f"resources.{endpoint.parent}.{name}", own)
                for name in endpoint.include_from_parent
            }
            answered = self._report(endpoint, own) if endpoint.report else own
            if answered is None:
                continue
            for page in self._pages(endpoint, answered):
                yield [row | parent for row in page] if parent else page

    def files(self, table: Table, values: Values) -> Iterator[Path]:
        """Downloads, for each row of the parent table where there is one; gone with the next."""
        endpoint = self.endpoint(table)
        for own in self._with_parents(endpoint, values):
            answered = self._report(endpoint, own) if endpoint.report else own
            if answered is not None:
                wanted = endpoint.report.download if endpoint.report else endpoint
                with self._request(wanted, answered, stream=True).raw as file:
                    yield Path(file.name)

    def _with_parents(self, endpoint: grammar.Endpoint, values: Values) -> Iterator[Values]:
        if endpoint.parent is None:
            yield values
            return
        parent = self.source.tables.get(endpoint.parent)
        if parent is None or parent.endpoint is None or parent.endpoint.body:
            raise ReadError(f"{endpoint.parent} is no table of JSON rows of this source")
        rows = (row for page in self.rows(parent, values) for row in page)
        while some := list(islice(rows, endpoint.batch or 1)):
            row = _joined(some) if endpoint.batch else some[0]
            yield {**values, "resources": {endpoint.parent: row}}

    def _pages(self, endpoint: grammar.Endpoint, values: Values) -> Iterator[list[Any]]:
        """Each page's rows. Raises ReadError where pages repeat or never end."""
        wanted = endpoint.report.download if endpoint.report else endpoint
        call = self._call(wanted, values)
        paging = endpoint.paginator or self.client.paginator
        actions = [action.model_dump(exclude_unset=True) for action in endpoint.response_actions]
        pages = self.rest.paginate(
            **call,
            paginator=_paginator(paging),
            data_selector=endpoint.data_selector,
            hooks=create_response_hooks(actions or None),
            may_lack_data=endpoint.may_lack_data,
        )
        seen: dict[bytes, int] = {}
        asked = set()
        for number in range(1, _PAGES):
            where = f"page {number} of {self._told(wanted)}"
            with _told(where):
                page = next(pages, None)
            if page is None:
                return
            if not all(isinstance(row, dict) for row in page):
                raise ReadError(f"{where} has rows that are no JSON objects")
            if page:
                digest = sha256(repr(list(page)).encode(errors="replace")).digest()
                if digest in seen:
                    raise ReadError(f"{where} repeats page {seen[digest]}")
                seen[digest] = number
            yield list(page)
            # dlt has prepared the request for the page that follows
            following = repr((page.request.url, page.request.params, page.request.json))
            if page.paginator.has_next_page and following in asked:
                raise ReadError(f"{where} leads back to a page that was read before")
            asked.add(following)
        raise ReadError(f"page {_PAGES:,} of {self._told(wanted)} is still not the last")

    def _report(self, endpoint: grammar.Endpoint, values: Values) -> Values | None:
        """Has a report made and waits for it. Values with its answers; None where it is empty."""
        report = endpoint.report
        assert report is not None
        answer = self._request(endpoint, values).json()
        if report.start:
            started = self._request(report.start, {**values, "answer": answer}).json()
            answer = _merged(answer, started)
        until = time.monotonic() + report.within
        while True:
            values = {**values, "answer": answer}
            polled = self._request(report.poll, values).json()
            state = next(map(str, found(report.status, polled)), "missing")
            answer = _merged(answer, polled)
            if state in report.ok:
                values = {**values, "answer": answer}
                if _has_address(report.download.path, values):
                    return values
                if report.may_lack_file:
                    return None
                raise ReadError(
                    f"the report is done, and there is nothing at its address"
                    f" {report.download.path}: `may_lack_file` where that is right"
                )
            if state in report.empty:
                return None
            if state not in report.retry:
                known = "failed" if state in report.fail else "is in a state that isn't declared"
                raise ReadError(f"the report {known}: {word(state)}")
            if time.monotonic() + report.every > until:
                raise ReadError(
                    f"the report was not made within {report.within:.0f} s: {word(state)}"
                )
            if not self.guard.stand_in:
                time.sleep(report.every)

    def _request(
        self, wanted: grammar.Request, values: Values, stream: bool = False
    ) -> requests.Response:
        call = self._call(wanted, values)
        with _told(self._told(wanted)):
            response = self.rest.request(**call, stream=stream)
            response.raise_for_status()
            return response

    def _call(self, wanted: grammar.Request, values: Values) -> dict[str, Any]:
        self.guard.account = values["account"]
        return {
            "path": _path(wanted.path, values),
            "method": wanted.method,
            "headers": _expanded(self.client.headers | wanted.headers, values, as_text=True),
            "params": _expanded(wanted.params, values, as_text=True),
            "json": _expanded(wanted.json_, values),
            "data": _expanded(wanted.data, values, as_text=True),
        }

    def _told(self, wanted: grammar.Request) -> str:
        """A request as it is declared: what is filled in may be secret, or a row's value."""
        path = self.declared[wanted.path].partition("?")[0]
        place = path if "://" in path else f"{host(self.client.base_url)}/{path.lstrip('/')}"
        return f"{wanted.method} {place}"


def _requests(endpoint: grammar.Endpoint) -> list[grammar.Request]:
    report = endpoint.report
    if report is None:
        return [endpoint]
    return [endpoint, *filter(None, (report.start, report.poll, report.download))]


def _joined(rows: list[Any]) -> dict[str, str]:
    """The rows of a batch as one: their fields, with commas between."""
    return {
        name: ",".join(str(row[name]) for row in rows)
        for name in rows[0]
        if all(isinstance(row.get(name), str | int | float) for row in rows)
    }


def _paginator(paging: Any) -> BasePaginator:
    settings = paging.model_dump(exclude_unset=True)
    if settings.pop("type") == "offset":
        return _Offset(**settings)
    return create_paginator(paging.model_dump(exclude_unset=True))


class _Offset(OffsetPaginator):
    """dlt's, but going on by the rows that came: an API may cap its pages below what was asked."""

    def update_state(self, response: requests.Response, data: list[Any] | None = None) -> None:
        self.value_step = len(data or [])
        super().update_state(response, data)


class _Client(RESTClient):
    """dlt's client, but an answer that lacks its rows is no empty one."""

    def paginate(self, *arguments: Any, may_lack_data: bool, **options: Any) -> Iterator[Any]:
        self.may_lack_data = may_lack_data
        return super().paginate(*arguments, **options)

    def extract_response(self, response: requests.Response, data_selector: Any) -> list[Any]:
        answer = response.json()
        values = found(data_selector, answer)
        if self.may_lack_data and all(value is None for value in values):
            return []
        if any(value is None for value in values) or (
            not values and not _empty_list(data_selector, answer)
        ):
            raise ReadError(f"the answer lacks {data_selector}")
        return super().extract_response(response, data_selector)


def _empty_list(selector: str, answer: Any) -> bool:
    """Whether a path with wildcards found nothing because it leads into empty lists."""
    while "[*]" in selector:
        selector = selector.rpartition("[*]")[0].rstrip(".")
        if lists := found(selector or "$", answer):
            return all(part == [] for part in lists)
    return False


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Failures of a request as ReadError, without the address's query, headers and bodies."""
    try:
        yield
    except ReadError as error:
        raise ReadError(f"{where}: {error}") from None
    except requests.HTTPError as error:
        raise ReadError(f"{where}: {_status(error.response)}") from None
    except requests.Timeout:
        raise ReadError(f"{where}: no answer in time (`timeout`)") from None
    except requests.exceptions.SSLError:
        raise ReadError(f"{where}: the host's certificate is not valid") from None
    except requests.RequestException as error:
        raise ReadError(f"{where}: {_broken(error)}") from None
    except (ValueError, TypeError, KeyError) as error:
        # dlt's paginators quote the whole answer
        raise ReadError(
            f"{where}: the answer doesn't fit `paginator` or `data_selector`"
            f" ({type(error).__name__})"
        ) from None


def _status(response: requests.Response) -> str:
    said = f"HTTP {response.status_code}"
    if response.status_code in (401, 403):
        said += ": check the credentials and what they may read"
    elif response.status_code == 429:
        said += ": the API is asked too often; see `rate_limit` and `retry`"
    return said


def _broken(error: requests.RequestException) -> str:
    if "NewConnectionError" in str(error) or "NameResolutionError" in str(error):
        return "can't connect"
    if isinstance(error, ValueError):  # what requests says of addresses
        return "that is no address of the web"
    return f"the connection broke before the answer was whole ({type(error).__name__})"


def _looked_up(name: str, values: Values) -> Any:
    value = _found(name, values, _NOTHING)
    if value is _NOTHING:
        raise ReadError(f"there is nothing to fill in for {{{name}}}")
    return value


_NOTHING = object()


def _found(name: str, values: Values, otherwise: Any = None) -> Any:
    value: Any = values
    for part in name.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return otherwise
    return value


def _merged(before: Any, answer: Any) -> Any:
    """What was answered so far; what came last counts."""
    both = isinstance(before, dict) and isinstance(answer, dict)
    return before | answer if both else answer


def _has_address(path: str, values: Values) -> bool:
    """Whether a download that is all placeholder leads anywhere."""
    whole = grammar.PLACEHOLDER.fullmatch(path)
    return whole is None or _found(whole[1], values) is not None


def _expanded(setting: Any, values: Values, as_text: bool = False) -> Any:
    """A setting with its placeholders; one that is all of a text keeps its type in JSON."""
    if isinstance(setting, dict):
        return {
            _expanded(name, values, True): _expanded(part, values, as_text)
            for name, part in setting.items()
        }
    if isinstance(setting, list):
        return [_expanded(part, values, as_text) for part in setting]
    if not isinstance(setting, str):
        return setting
    if not as_text and (whole := grammar.PLACEHOLDER.fullmatch(setting)):
        return _looked_up(whole[1], values)
    return grammar.PLACEHOLDER.sub(lambda name: str(_looked_up(name[1], values)), setting)


def _path(setting: str, values: Values) -> str:
    """A path; what is filled in can't lead elsewhere, unless it is all of it: an address."""
    if whole := grammar.PLACEHOLDER.fullmatch(setting):
        return str(_looked_up(whole[1], values))
    return grammar.PLACEHOLDER.sub(
        lambda name: quote(str(_looked_up(name[1], values)), safe=""), setting
    )


def check(source: Source, tokens: Path | None) -> list[str]:
    """See extract_load.readers.rest.check."""
    notes = []
    if isinstance(source.client and source.client.auth, grammar.RefreshToken) and tokens is None:
        return ["not signed in: that would use up the refresh token"]
    with Api(source, None, tokens) as api:
        with _told("signing in"):
            if hasattr(api.guard.auth, "renew"):
                api.guard.auth.renew()
        for table in source.tables.values():
            endpoint = api.endpoint(table)
            if endpoint.window or endpoint.report or endpoint.body or endpoint.incremental:
                notes.append(f"table {table.name}: declared well, not asked for")
            else:
                next(api.rows(table, {"account": api.client.account_list[0]}), None)
    return notes

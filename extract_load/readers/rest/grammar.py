"""What a declaration may say of a web API: dlt's rest_api grammar, and named blocks beside it.

Texts may hold `${VARIABLES}` of the environment, and placeholders that each request fills in:
`{account}`, `{window.from}`, `{window.until}` (also `from_year`, `until_month` …; `after`, the day
after `until`; `days`, how many they are), `{incremental.start_value}`, `{incremental.end_value}`,
`{resources.<table>.<field>}`, `{answer.<field>}` (of a report).
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    create_model,
    field_validator,
    model_validator,
)

_DURATION = re.compile(r"^(\d+)(ms|s|m|h|d)$")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# `{ id }` with blanks, as GraphQL writes it, is no placeholder
PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+(?:\.\w+)*)\}")


def _seconds(value: object) -> object:
    if isinstance(value, str) and (match := _DURATION.match(value)):
        return int(match[1]) * _SECONDS[match[2]]
    if isinstance(value, float):  # read before
        return value
    raise ValueError(f"{value!r} is no duration: write a number and ms, s, m, h or d, as in 5s")


def _days(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d+d", value):
        return int(value[:-1])
    return value


Duration = Annotated[float, BeforeValidator(_seconds)]
Days = Annotated[int, BeforeValidator(_days)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_of(**kinds: type[_Strict]) -> PlainValidator:
    """A map with a `type`, or that type's name alone."""

    def pick(value: object) -> object:
        value = {"type": value} if isinstance(value, str) else value
        if not isinstance(value, dict) or value.get("type") not in kinds:
            raise ValueError(f"type is one of {', '.join(kinds)}")
        return kinds[value["type"]].model_validate(value)

    return PlainValidator(pick)


# -- signing in ----------------------------------------------------------------------------------


class Bearer(_Strict):
    """A fixed token."""

    type: str
    token: str


class ApiKey(_Strict):
    """A fixed key in a header or a parameter."""

    type: str
    name: str = "Authorization"
    api_key: str
    location: Literal["header", "query", "param"] = "header"


class HttpBasic(_Strict):
    type: str
    username: str
    password: str


class _Token(_Strict):
    """A token that is asked for at another address and runs out."""

    type: str
    access_token_url: str
    client_id: str
    access_token_request_data: dict[str, str] = {}
    basic: bool = False  # client id and secret as HTTP basic, not in the form
    default_token_expiration: int = 3600


class ClientCredentials(_Token):
    """OAuth's client-credentials grant."""

    client_secret: str


class RefreshToken(_Token):
    """OAuth's refresh-token grant; a refresh token that the API changes is kept."""

    client_secret: str | None = None
    refresh_token: str


class Es256Jwt(_Token):
    """Client credentials whose secret is a JWT signed with a private key (PEM, P-256)."""

    issuer: str
    key_id: str
    private_key: str
    audience: str
    expires_after: Duration = 3600.0


class Hmac(_Strict):
    """A signature of each request. `template` and `headers` may hold {timestamp}, {method},
    {path}, {query} and {body}; headers also {signature}."""

    type: str
    secret: str
    template: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    encoding: Literal["base64", "hex"] = "base64"
    timestamp: Literal["seconds", "milliseconds"] = "milliseconds"
    headers: dict[str, str]


class Jws(_Strict):
    """A bearer token for each request that signs the request itself (HS256)."""

    type: str
    key: str
    secret: str


class OAuth1(_Strict):
    """OAuth 1.0a in a user's name: each request is signed with HMAC-SHA1."""

    type: str
    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str


class Md5Token(_Strict):
    """Headers `access-key`, `timestamp` and `token`, the md5 of the key and the timestamp's md5."""

    type: str
    access_key: str
    api_key: str


class Login(_Strict):
    """A token for a name and password or a JSON body, where no grant of OAuth's is spoken.

    `token_path` says where in the answer it is; `template` how `header` carries {token}.
    """

    type: str
    url: str
    method: Literal["GET", "POST"] = "POST"
    json_: dict[str, Any] | None = Field(None, alias="json")
    username: str | None = None
    password: str | None = None
    token_path: str = "token"
    header: str = "Authorization"
    template: str = "Bearer {token}"
    expires_after: Duration = 3600.0


# -- pages ---------------------------------------------------------------------------------------


def _paginator(**settings: Any) -> type[_Strict]:
    """One of dlt's paginators: its settings, and dlt's defaults where they are left out."""
    fields = {
        name: kind if isinstance(kind, tuple) else (kind | None, None)
        for name, kind in settings.items()
    }
    return create_model("Paginator", __base__=_Strict, type=(str, ...), **fields)


_UNTIL = {"has_more_path": str, "stop_after_empty_page": bool}
_PAGINATORS = {
    "single_page": _paginator(),
    "json_link": _paginator(next_url_path=str),
    "header_link": _paginator(links_next_key=str),
    "header_cursor": _paginator(cursor_key=str, cursor_param=str),
    "cursor": _paginator(cursor_path=str, cursor_param=str, cursor_body_path=str, **_UNTIL),
    "offset": _paginator(
        limit=(int, ...), offset=int, offset_param=str, offset_body_path=str, limit_param=str,
        limit_body_path=str, total_path=str, maximum_offset=int, **_UNTIL,
    ),
    "page_number": _paginator(
        base_page=int, page=int, page_param=str, page_body_path=str, total_path=str,
        maximum_page=int, **_UNTIL,
    ),
}  # fmt: skip


Auth = Annotated[
    Any,
    _one_of(
        bearer=Bearer,
        api_key=ApiKey,
        http_basic=HttpBasic,
        oauth2_client_credentials=ClientCredentials,
        refresh_token=RefreshToken,
        es256_jwt=Es256Jwt,
        hmac=Hmac,
        jws=Jws,
        oauth1=OAuth1,
        md5_token=Md5Token,
        login=Login,
    ),
]
# dlt's `auto` is left out: where its guess is wrong, one page passes for all
Paginator = Annotated[Any, _one_of(**_PAGINATORS)]


# -- the API -------------------------------------------------------------------------------------


class RateLimit(_Strict):
    """At most so many calls in a span of time, of an account or altogether."""

    calls: Annotated[int, Field(gt=0)]
    per: Duration
    by: Literal["account", "client"] = "client"


class Retry(_Strict):
    """How often a busy or broken API is asked, and how long between: `wait`, doubled each time."""

    attempts: Annotated[int, Field(gt=0)] = 5
    wait: Duration = 1.0
    longest: Duration = 300.0


class ErrorCode(_Strict):
    """Where an answer says how it went. `ok` may hold null: nothing is there. A code of `retry`
    means the same in an answer of status 400 or 403."""

    path: str
    ok: list[str | int | bool | None]
    retry: list[str | int] = []


class Client(_Strict):
    """The API: its address, how it is signed in to, how it pages, what it bears.

    `hosts` are those that may be talked to beside that of `base_url`; `*.example.com` are all
    below one. `timeout` bounds a silence, `deadline` a whole answer.
    """

    base_url: str
    hosts: list[str] = []
    headers: dict[str, str] = {}
    auth: Auth = None
    paginator: Paginator = None
    accounts: list[str] | str = []  # a text is split at commas
    rate_limit: RateLimit | None = None
    retry: Retry = Retry()
    timeout: Duration = 60.0
    deadline: Duration = 600.0
    error: ErrorCode | None = None

    @property
    def account_list(self) -> list[str]:
        """The accounts, their variables filled in; one without a name where there are none."""
        if not self.accounts:
            return [""]
        texts = self.accounts.split(",") if isinstance(self.accounts, str) else self.accounts
        if found := [text.strip() for text in texts if text.strip()]:
            return found
        raise ValueError("client.accounts names no account")


class Request(_Strict):
    """One request. A path that is an address of its own must lie on a listed host."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = {}
    params: dict[str, Any] = {}
    json_: Any = Field(None, alias="json")
    data: Any = None


def _request(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class Report(_Strict):
    """A report that is made on request: asked for by the endpoint, `start`ed where that takes
    another request, waited for, then fetched. With `may_lack_file`, one that is done and has no
    address is empty."""

    start: Annotated[Request, BeforeValidator(_request)] | None = None
    poll: Annotated[Request, BeforeValidator(_request)]
    status: str
    ok: list[str]
    empty: list[str] = []
    retry: list[str] = []
    fail: list[str] = []
    download: Annotated[Request, BeforeValidator(_request)]
    may_lack_file: bool = False
    every: Duration = 5.0
    within: Duration = 1800.0


class Body(_Strict):
    """An answer that is a file: plain, gzip or zip.

    `columns` are those of a table without header. `header_at` is how the header's line begins,
    where others stand before it, and `ends_at` how the first line begins that is no row any more;
    an empty line is none then either. `rows` is where the rows of a JSON document are.
    """

    format: Literal["csv", "tsv", "ndjson", "json"]
    columns: list[str] = []
    header_at: str | None = None
    ends_at: list[str] = []
    rows: str | None = None
    delimiter: str | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Body":
        if (self.format == "json") != bool(self.rows):
            raise ValueError("rows says where they are in a JSON document, and only there")
        tabular = self.format in ("csv", "tsv")
        if not tabular and (self.columns or self.header_at or self.ends_at):
            raise ValueError("columns, header_at and ends_at belong to csv and tsv")
        if self.columns and self.header_at:
            raise ValueError("columns are those of a table without header")
        return self


class Window(_Strict):
    """Days are asked for in chunks of `chunk`, from the day `since` on, and for `restates` days
    again while figures may change. The newest `delay` days are not ready yet; the API knows no
    more than the newest `keeps` days."""

    chunk: Annotated[Days, Field(gt=0)]
    since: date | Annotated[str, Field(pattern=r"^\$\{[A-Z][A-Z0-9_]*\}$")]
    restates: Annotated[Days, Field(ge=0)] = 0
    delay: Annotated[Days, Field(ge=0)] = 0
    keeps: Annotated[Days, Field(gt=0)] | None = None
    format: str = "%Y-%m-%d"


class Incremental(_Strict):
    """What `{incremental.start_value}` says before the first load, and how an instant is written:
    in strftime's letters and the table's time zone, or as `epoch` or `epoch_ms`."""

    initial_value: str | int
    format: str = "%Y-%m-%dT%H:%M:%SZ"


class ResponseAction(_Strict):
    """An answer that means that there is nothing."""

    status_code: int | None = None
    content: str | None = None
    action: Literal["ignore"]


class Endpoint(Request):
    """What of the API fills a table."""

    data_selector: str | None = None
    may_lack_data: bool = False  # an answer without what data_selector names has no rows
    paginator: Paginator = None
    response_actions: list[ResponseAction] = []
    include_from_parent: list[str] = []
    batch: Annotated[int, Field(gt=0)] | None = None  # rows of the parent in a request
    explode: str | None = None  # a list in each row; each part of it becomes a row
    optional: list[str] = []  # columns that no row need have
    incremental: Incremental | None = None
    window: Window | None = None
    report: Report | None = None
    body: Body | None = None

    @property
    def parent(self) -> str | None:
        """The table whose rows this endpoint is asked for, one by one."""
        names = [name.split(".") for name in placeholders(self.model_dump(by_alias=True))]
        return next((name[1] for name in names if name[0] == "resources"), None)

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if ".." in path.split("?")[0].split("/"):
            raise ValueError("'..' has no place in a path")
        return path

    @model_validator(mode="after")
    def _fits_together(self) -> "Endpoint":
        known = {"account", "resources"}
        known |= {"window"} if self.window else set()
        known |= {"incremental"} if self.incremental else set()
        known |= {"answer"} if self.report else set()
        names = set(placeholders(self.model_dump(by_alias=True)))
        if wrong := sorted(name for name in names if name.split(".")[0] not in known):
            raise ValueError(f"{{{wrong[0]}}} is filled in by nothing that this endpoint declares")
        if len({name.split(".")[1] for name in names if name.startswith("resources.")}) > 1:
            raise ValueError("an endpoint is asked for the rows of one table, not of two")
        if self.batch and (self.parent is None or self.include_from_parent):
            raise ValueError("batch needs a parent, and no include_from_parent")
        if self.json_ is not None and self.data is not None:
            raise ValueError("json and data are two bodies of one request")
        # dlt would guess, and find an empty list in an error's details
        if (self.data_selector is None) == (self.body is None):
            raise ValueError("say where the rows are: data_selector ('$': all there is), or body")
        return self


def placeholders(value: object) -> Iterator[str]:
    """Names in all texts of a setting."""
    if isinstance(value, str):
        yield from (match[1] for match in PLACEHOLDER.finditer(value))
    elif isinstance(value, dict):
        for part in (*value, *value.values()):
            yield from placeholders(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from placeholders(part)

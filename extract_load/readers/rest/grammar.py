"""What a declaration may say of a web API: dlt's rest_api grammar, and named blocks beside it."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Client(_Strict):
    """The API: its address, how it is signed in to, how it pages."""

    base_url: str
    hosts: tuple[str, ...]
    headers: dict[str, str] = {}
    auth: dict[str, Any] | None = None
    paginator: dict[str, Any] | str | None = None


class Window(_Strict):
    """Days are asked for in chunks, and asked for again while figures are restated."""

    chunk: int
    restates: int = 0


class Endpoint(_Strict):
    """What of the API fills a table."""

    path: str
    params: dict[str, Any] = {}
    window: Window | None = None

"""A request to one of the media's web APIs, and its answer."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class Asked:
    """A request as it came in; names of headers are in lower case."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    target: str = ""  # path and query as they came

    @property
    def json(self) -> Any:
        """The body as a JSON document."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form in the body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Answer:
    """What is sent back: bytes and text as they are, anything else as JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, default=_plain, ensure_ascii=False).encode()

    @property
    def kind(self) -> str:
        """Its media type, unless `headers` names another."""
        return "text/plain" if isinstance(self.body, bytes | str) else "application/json"


def _plain(value: object) -> Any:
    """Days as ISO text, decimals as the shortest number that is them."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")

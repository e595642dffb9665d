"""A local BigQuery for tests, judged and computed by ZetaSQL. See README.md."""

from .server import Endpoint

__all__ = ["Endpoint"]

"""What the endpoint answers when it refuses."""


class BigQueryError(Exception):
    """An error as the REST API reports it: HTTP status, reason ("invalidQuery", ...), message."""

    def __init__(self, status: int, reason: str, message: str):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def not_found(what: str, name: str) -> BigQueryError:
    return BigQueryError(404, "notFound", f"Not found: {what} {name}")


def invalid_query(message: str) -> BigQueryError:
    return BigQueryError(400, "invalidQuery", message)

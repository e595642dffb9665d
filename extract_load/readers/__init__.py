"""How each kind of source is read: every reader yields Arrow record batches."""


class ReadError(Exception):
    """A table that can't be read; one line that says what and where."""

"""One writer at a time. The operating system frees the lock of a process that dies."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout


class LockedError(Exception):
    """Another run holds the warehouse; the message names it."""


@contextmanager
def writer_lock(
    folder: Path,
    purpose: str,
    wait: float = 60.0,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Holds `folder`'s lock for one writing command; waits up to `wait` seconds for another's end.

    Raises LockedError, naming the holder's command, process and start, when the wait was too short.
    """
    lock = FileLock(folder / "writer.lock", mode=0o600)
    holder = folder / "writer.json"
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            lock.acquire(timeout=0.2 if wait else 0)
            break
        except Timeout:
            who = _describe(holder)
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"the warehouse is being written by {who}: try again later"
                ) from None
            if on_wait and not told:
                on_wait(f"waiting for {who}")
                told = True
    try:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        holder.write_text(json.dumps({"purpose": purpose, "pid": os.getpid(), "since": started}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _describe(holder: Path) -> str:
    try:
        found = json.loads(holder.read_text())
        return f"`{found['purpose']}` (process {found['pid']}, since {found['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"

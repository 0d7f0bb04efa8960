"""Locks between processes, held by the operating system: they end with the process, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graph.errors import RecommenderError


class LockedError(RecommenderError):
    """Another process does what only one may do."""


@contextmanager
def exclusive(file: Path, taken: str | None = None) -> Iterator[None]:
    """Hold a lock file. Another holder is waited for, or, given what to tell then, refused with LockedError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
        except BlockingIOError:
            raise LockedError(taken) from None
        yield

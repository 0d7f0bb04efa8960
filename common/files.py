"""Files that are whole or not there, and locks between processes: the system's, which end with the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import RecommenderError


class LockedError(RecommenderError):
    """Another process does what only one may do."""


def write_durably(file: Path, text: str, mode: int = 0o666) -> None:
    """Write a whole file so that a reader, also after a crash, finds the old text or the new one.

    It has the mode (less the umask) before anything is in it.
    """
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.touch(mode, exist_ok=False)
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


@contextmanager
def exclusive(file: Path, taken: str | None = None) -> Iterator[None]:
    """Hold a lock file. Another holder is waited for, or, given the text of the error, refused with LockedError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
        except BlockingIOError:
            raise LockedError(taken) from None
        yield

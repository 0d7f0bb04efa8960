"""Files that are private, files that are whole or not there, and locks between processes.

What we keep shows who watched what, so nobody else may read it, whatever the umask. Locks are the system's: they end
with the process.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from common.errors import RecommenderError


class LockedError(RecommenderError):
    """Another process does what only one may do."""


def make_private_folder(folder: Path) -> None:
    """Make a folder, and the parents that it lacks, for ourselves alone. One that is there stays as it is."""
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def keep_private(path: Path) -> None:
    """Take a file or folder of an earlier version, or of other hands, away from group and others.

    Nothing happens if it is not there or not ours, or if it is a folder that all share (sticky, as /tmp is).
    """
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and not mode & stat.S_ISVTX:
            path.chmod(mode & 0o700)


def open_privately(file: str, flags: int) -> int:
    """The `opener` of files for ourselves alone."""
    return os.open(file, flags, 0o600)


def write_durably(file: Path, text: str) -> None:
    """Write a whole file, private, so that a reader, also after a crash, finds the old text or the new one."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    try:
        partial.touch(0o600, exist_ok=False)
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError:  # a half would keep room on a disk that has none
        partial.unlink(missing_ok=True)
        raise


def exclusive(file: Path, taken: str | None = None) -> AbstractContextManager[None]:
    """Hold a lock file alone. Another holder is waited for, or, given the text of the error, refused: LockedError."""
    return _locked(file, fcntl.LOCK_EX, taken)


def shared(file: Path, taken: str) -> AbstractContextManager[None]:
    """Hold a lock file beside others who share it. Raises LockedError with that text if somebody holds it alone."""
    return _locked(file, fcntl.LOCK_SH, taken)


@contextmanager
def _locked(file: Path, kind: int, taken: str | None) -> Iterator[None]:
    make_private_folder(file.parent)
    with open(file, "a", opener=open_privately) as stream:
        try:
            fcntl.flock(stream, kind | (fcntl.LOCK_NB if taken else 0))
        except BlockingIOError:
            raise LockedError(taken) from None
        yield

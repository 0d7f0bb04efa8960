"""Room on a disk: who has run out of it, how much there is, and files that take theirs before it is needed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path

FULL = {ENOSPC, EDQUOT}


def is_full(error: OSError) -> bool:
    """Whether a disk without room is what went wrong."""
    return error.errno in FULL


@contextmanager
def suppressed_full_disk() -> Iterator[None]:
    """Go on where a disk has no room for something that can be done without."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise


def free_bytes(path: Path) -> int:
    """What is free where a file or folder is, or would be made."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def take_room(descriptor: int, size: int) -> None:
    """Make a file at least so long, with room on the disk for all of it. Raises OSError if there is none.

    A file that is mapped into memory must have it: on a full disk, writing into a hole ends the process (SIGBUS).
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    elif os.fstat(descriptor).st_size < size:  # macOS; what is written has its room, too
        os.pwrite(descriptor, bytes(size), 0)

"""Rate limits that all processes of a machine share: one number per key in a memory-mapped file.

The number is the "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371): the moment at which all
that was admitted would have arrived, had it come evenly. It may run one minute ahead of the clock.
"""

import fcntl
import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.files import make_private_folder
from service.access.keys import MOST_KEYS, KeysError

MINUTE = 60.0
CELL = struct.Struct("d")
# What rounding may add up to.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Verdict:
    """Whether a request is admitted, how many more would be at once, and the whole seconds until the next one is."""

    admitted: bool
    remaining: int
    seconds: int


class RateLimiter:
    """The limits kept in a file. The clock must be the same for all processes and not be set: a monotonic one."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic, slots: int = MOST_KEYS) -> None:
        self._file = file
        self._clock = clock
        self._slots = slots
        self._threads = threading.Lock()

    def admit(self, slot: int, per_minute: int, *, count: bool = True) -> Verdict:
        """Count a request of a key. So many are admitted at once, and after that so many a minute, evenly.

        Without `count` nothing changes: the verdict is what a request would get now.
        """
        interval = MINUTE / per_minute
        with self._threads:
            descriptor, cells = self._opened
            # A lock of the kernel's: it ends with a process that dies. It knows processes, not their threads.
            fcntl.lockf(descriptor, fcntl.LOCK_EX, CELL.size, slot * CELL.size)
            try:
                now = self._clock()
                (stored,) = CELL.unpack_from(cells, slot * CELL.size)
                # The clock begins again when the machine does: what lies too far ahead is from before.
                ahead = interval + (stored - now if now < stored <= now + MINUTE + ROUNDING else 0.0)
                if count and ahead <= MINUTE + ROUNDING:
                    CELL.pack_into(cells, slot * CELL.size, now + ahead)
            finally:
                fcntl.lockf(descriptor, fcntl.LOCK_UN, CELL.size, slot * CELL.size)
        if ahead > MINUTE + ROUNDING:
            return Verdict(False, 0, math.ceil(ahead - MINUTE))
        remaining = int((MINUTE - ahead + ROUNDING) / interval)
        return Verdict(True, remaining, 0 if remaining else math.ceil(ahead + interval - MINUTE))

    @cached_property
    def _opened(self) -> tuple[int, mmap.mmap]:
        size = self._slots * CELL.size
        try:
            make_private_folder(self._file.parent)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(descriptor, 0, size)  # on a full disk an error now, not a signal later
            return descriptor, mmap.mmap(descriptor, size)
        except OSError as error:
            raise KeysError(f"the rate limits cannot be kept: {error}") from error

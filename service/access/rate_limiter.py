"""Rate limits that all processes of a machine share: one number per key in a memory-mapped file.

On a full disk, where the file cannot be made, each process counts alone until it can: nobody is refused for that.

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

from common.disk import is_full, take_room
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
        self._threads = threading.Lock()
        self._size = slots * CELL.size
        self._alone = bytearray(self._size)

    def admit(self, slot: int, per_minute: int, *, count: bool = True) -> Verdict:
        """Count a request of a key. So many are admitted at once, and after that so many a minute, evenly.

        Without `count` nothing changes: the verdict is what a request would get now.
        """
        interval = MINUTE / per_minute
        with self._threads:
            ahead = self._count(slot, interval, count=count)
        if ahead > MINUTE + ROUNDING:
            return Verdict(False, 0, math.ceil(ahead - MINUTE))
        remaining = int((MINUTE - ahead + ROUNDING) / interval)
        return Verdict(True, remaining, 0 if remaining else math.ceil(ahead + interval - MINUTE))

    def _count(self, slot: int, interval: float, *, count: bool) -> float:
        """Where it is counted, one at a time; returns how far ahead of the clock the key is then."""
        try:
            descriptor, cells = self._opened
        except OSError as error:
            if not is_full(error):
                raise KeysError(f"the rate limits cannot be kept: {error}") from error
            return self._advance(self._alone, slot, interval, count=count)
        # A lock of the kernel's: it ends with a process that dies. It knows processes, not their threads.
        fcntl.lockf(descriptor, fcntl.LOCK_EX, CELL.size, slot * CELL.size)
        try:
            return self._advance(cells, slot, interval, count=count)
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, CELL.size, slot * CELL.size)

    def _advance(self, cells: mmap.mmap | bytearray, slot: int, interval: float, *, count: bool) -> float:
        now = self._clock()
        (stored,) = CELL.unpack_from(cells, slot * CELL.size)
        # The clock begins again when the machine does: what lies too far ahead is from before.
        ahead: float = interval + (stored - now if now < stored <= now + MINUTE + ROUNDING else 0.0)
        if count and ahead <= MINUTE + ROUNDING:
            CELL.pack_into(cells, slot * CELL.size, now + ahead)
        return ahead

    @cached_property
    def _opened(self) -> tuple[int, mmap.mmap]:
        make_private_folder(self._file.parent)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            take_room(descriptor, self._size)
            return descriptor, mmap.mmap(descriptor, self._size)
        except OSError:
            os.close(descriptor)
            raise

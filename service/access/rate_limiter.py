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
    """Whether a request is admitted, how many units are left, and the whole seconds until it, or one more, is."""

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

    def admit(self, slot: int, per_minute: int, units: int = 1, paid: int = 0, *, count: bool = True) -> Verdict:
        """Count a request of a key by its units. So many are admitted at once, and then so many a minute, evenly.

        `paid`: units that were counted for the same request before, and would be again if it came again. Without
        `count` nothing changes: the verdict is what a request would get now.
        """
        interval = MINUTE / per_minute
        with self._threads:
            used, admitted = self._count(slot, units * interval, count=count)
        remaining = int((MINUTE - used + ROUNDING) / interval)
        if not admitted:
            return Verdict(False, remaining, math.ceil(used + (units + paid) * interval - MINUTE))
        return Verdict(True, remaining, 0 if remaining else math.ceil(used + interval - MINUTE))

    def _count(self, slot: int, cost: float, *, count: bool) -> tuple[float, bool]:
        """Returns how far ahead of the clock the key is then, and whether it is admitted."""
        try:
            descriptor, cells = self._opened
        except OSError as error:
            if not is_full(error):
                raise KeysError(f"the rate limits cannot be kept: {error}") from error
            return self._advance(self._alone, slot, cost, count=count)
        # A lock of the kernel's: it ends with a process that dies. It knows processes, not their threads.
        fcntl.lockf(descriptor, fcntl.LOCK_EX, CELL.size, slot * CELL.size)
        try:
            return self._advance(cells, slot, cost, count=count)
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, CELL.size, slot * CELL.size)

    def _advance(self, cells: mmap.mmap | bytearray, slot: int, cost: float, *, count: bool) -> tuple[float, bool]:
        now = self._clock()
        (stored,) = CELL.unpack_from(cells, slot * CELL.size)
        # The clock begins again when the machine does: what lies too far ahead is from before.
        used: float = stored - now if now < stored <= now + MINUTE + ROUNDING else 0.0
        if used + cost > MINUTE + ROUNDING:
            return used, False
        if count:
            CELL.pack_into(cells, slot * CELL.size, now + used + cost)
        return used + cost, True

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

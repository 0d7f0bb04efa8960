"""The file in which one process counts for Prometheus: on the disk as far as there is room, else in memory until then.

It takes the place of prometheus_client's MmapedDict, which maps a file with holes: on a full disk, counting something
new would end the process (SIGBUS). The format, its own: the number of bytes in use (int32, in 8 bytes); then an entry
for each key: its length (int32), the key in UTF-8, one to eight blanks up to a multiple of 8, the value and a time
(doubles).
"""

import mmap
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from common.disk import take_room

HEAD = struct.Struct("i4x")
LENGTH = struct.Struct("i")
PAIR = struct.Struct("dd")
FIRST_SIZE = 1 << 16
# Whether there is room again is tried so seldom, and only while something is counted.
RETRY_SECONDS = 1.0


class CountFile:
    """What MmapedDict is to prometheus_client's values, which take care that one thread at a time is here."""

    def __init__(self, filename: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = Path(filename)
        self._clock = clock
        self._tried = float("-inf")
        self._places: dict[str, int] = {}
        self._counted = bytearray(HEAD.pack(HEAD.size))
        self._read_earlier()
        self._shown = 0  # bytes of it that are in the file
        self._map: mmap.mmap | None = None
        self._show()

    def read_value(self, key: str) -> tuple[float, float]:
        """The value and time of a key, which is there from now on."""
        value, moment = PAIR.unpack_from(self._counted, self._place(key))
        return value, moment

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set the value and time of a key."""
        place = self._place(key)
        pair = slice(place, place + PAIR.size)
        self._counted[pair] = PAIR.pack(value, timestamp)
        if self._map is not None and pair.stop <= self._shown:
            self._map[pair] = self._counted[pair]  # at once, or a reader might see half of it
        if self._shown < len(self._counted):
            self._show()

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _place(self, key: str) -> int:
        if key not in self._places:
            encoded = key.encode()
            blanks = b" " * (8 - (len(encoded) + LENGTH.size) % 8)
            self._counted += LENGTH.pack(len(encoded)) + encoded + blanks + PAIR.pack(0.0, 0.0)
            self._counted[: HEAD.size] = HEAD.pack(len(self._counted))
            self._places[key] = len(self._counted) - PAIR.size
            self._show()
        return self._places[key]

    def _show(self) -> None:
        """Write into the file what is not there yet, the head last, if it has room for all."""
        size = len(self._counted)
        if self._map is None or size > len(self._map):
            self._grow(size)
        if self._map is not None and size <= len(self._map):
            begin = max(self._shown, HEAD.size)
            self._map[begin:size] = self._counted[begin:]
            self._map[: HEAD.size] = self._counted[: HEAD.size]
            self._shown = size

    def _grow(self, needed: int) -> None:
        """Take room for twice as much, if there is; else it is tried again after a while."""
        if self._clock() - self._tried < RETRY_SECONDS:
            return
        size = len(self._map or b"") or FIRST_SIZE
        while size < needed:
            size *= 2
        try:
            with self._file.open("a+b") as stream:
                take_room(stream.fileno(), size)
                self._map = mmap.mmap(stream.fileno(), size)
        except OSError:
            self._tried = self._clock()
            self._remove_if_empty()

    def _remove_if_empty(self) -> None:
        """Who adds up all files cannot read one without a head."""
        with suppress(OSError):
            if self._file.stat().st_size == 0:
                self._file.unlink()

    def _read_earlier(self) -> None:
        """Go on with what an earlier process of the same id has counted."""
        with suppress(FileNotFoundError, struct.error):
            content = self._file.read_bytes()
            [used] = LENGTH.unpack_from(content)
            entries = MmapedDict.read_all_values_from_file(str(self._file))
            self._places = {key: place for key, _, _, place in entries}
            self._counted[:] = content[:used] if used else self._counted

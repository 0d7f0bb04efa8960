"""What is tolerated of an archive, which anybody may have made."""

import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import NoReturn

from common.errors import RecommenderError
from loader.formats.accounts import LONGEST_SHOWN

MOST_MEMBERS = 1_000_000  # the Netflix Prize has 17,770 files; each member costs time, and in a zip memory
MOST_BYTES = 64 << 30  # the Netflix Prize has 2 GB
MOST_RATIO = 200  # bytes that come out for each on disk: ratings have 3 to 5, deflate reaches 1,032
BYTES_AT_ANY_RATIO = 64 << 20  # a small file may well be all zeros
MOST_DEPTH = 2  # nf_prize_dataset.tar.gz holds training_set.tar; each level more would multiply what comes out
LONGEST_NAME = 4096  # Linux's longest path

# What the libraries raise on files that are not whole (a name in no encoding is a ValueError).
DAMAGE = (EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, struct.error, ValueError, OverflowError)


class SourceError(RecommenderError):
    """An input cannot be read."""


class Meter:
    """Tells `progress` how far a file on disk was read; in the end that adds up to its size."""

    def __init__(self, file: FileIO, progress: Callable[[int], object]) -> None:
        self.size = file.seek(0, 2)
        file.seek(0)
        self._file = file
        self._progress = progress
        self._told = 0

    def update(self) -> None:
        """Tell how far the file is read now."""
        self._tell(min(self._file.tell(), self.size))

    def finish(self) -> None:
        """The file was read, or the rest of it is not needed."""
        self._tell(self.size)

    def _tell(self, position: int) -> None:
        if position > self._told:
            self._progress(position - self._told)
            self._told = position


class Watch:
    """Refuses what is unsafe in one file on disk, and explains what is damaged; messages name the current `member`."""

    def __init__(self, path: Path, meter: Meter) -> None:
        self.member = ""
        self._path = path
        self._meter = meter
        self._members = 0
        self._bytes = 0

    def admit(self, name: str, kind: str) -> None:
        """Take note of a member and its name there; `kind` is empty for files and folders, else what it is."""
        self._members += 1
        if self._members > MOST_MEMBERS:
            self.refuse(f"there are more than {MOST_MEMBERS:,} members")
        if reason := kind or _odd_name(name):
            self.refuse(reason)

    def require_depth(self, depth: int) -> None:
        """Refuse an archive in an archive in an archive."""
        if depth > MOST_DEPTH:
            self.refuse("it is nested too deep")

    def count(self, size: int) -> None:
        """Take note of bytes that came out of the file."""
        self._meter.update()
        self._bytes += size
        self.require_plausible(self._bytes)

    def require_plausible(self, size: int) -> None:
        """Refuse an archive that has more bytes in it than ratings would."""
        if size > MOST_BYTES:
            self.refuse(f"there are more than {MOST_BYTES:,} bytes in it")
        # The size on disk counts, not what was read of it: members of a zip may share bytes.
        if size > max(BYTES_AT_ANY_RATIO, MOST_RATIO * self._meter.size):
            self.refuse(f"it has more than {MOST_RATIO} times its size in it")

    def refuse(self, reason: str) -> NoReturn:
        """Give up on the whole archive."""
        raise SourceError(f"{self._where()} is not read: {reason}. If you trust it, unpack it and give the folder")

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn the libraries' errors into ones for people."""
        try:
            yield
        except DAMAGE as error:
            reason = printable(str(error)[:LONGEST_SHOWN]) or type(error).__name__
            raise SourceError(f"{self._where()} is damaged ({reason}): download it again") from error
        except NotImplementedError as error:
            self.refuse(printable(str(error)))
        except OSError as error:
            raise SourceError(f"{self._where()} cannot be read: {error.strerror}") from error

    def _where(self) -> str:
        return f"{self._path}/{printable(self.member[:LONGEST_SHOWN])}" if self.member else str(self._path)


def printable(text: str) -> str:
    """A stranger's text without what a terminal might obey."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _odd_name(name: str) -> str:
    """What is wrong with a member's name, as a path to unpack it to; "" if nothing is."""
    if not name or "\0" in name:
        return "it has no proper name"
    if len(name) > LONGEST_NAME:
        return "its name is too long"
    if "\\" in name:
        return "its name has a backslash"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "its name is an absolute path"
    if ".." in name.split("/"):
        return "its name leads out of the archive"
    return ""

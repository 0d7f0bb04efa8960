"""Reading files line by line, every line accounted for.

Each line of a file is a record, structure (a header, an empty line), or rejected with a reason; nothing is dropped on
the way. The `kernels` read what is well-formed; whatever they stop at is judged in plain Python.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import numpy as np

from graph.repositories.interactions import LARGEST_ID
from loader.formats.accounts import LONGEST_LINE, Account, Rejects
from loader.formats.kernels import RATING, Bytes, Records

BLOCK_BYTES = 8 << 20
BUFFERED_RECORDS = 2_000_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
IN_THE_FUTURE = "date is in the future"

# User id, movie id, stars, moment in milliseconds since 1970.
Rating = tuple[int, int, float, int]
# Id, title, year, genres.
MovieRow = tuple[int, str, int | None, list[str]]
Judgement = Rating | str


class Lines(Protocol):
    """How the lines of one file are read; made anew for each file, since lines may depend on earlier ones."""

    def scan(self, data: Bytes, position: int, out: Records, count: int) -> tuple[int, int, int]:
        """Read well-formed lines; returns where it stopped, the new count, and the structure lines among them."""

    def judge(self, line: str, number: int) -> Judgement:
        """What any one line is: a rating, "" for structure, or else why it is rejected. `number` counts from 1."""

    def skip(self, line: str) -> None:
        """Take note of a line that is too long to be judged."""


class LineReader:
    """Reads files into a buffer of records that is handed to `take` whenever it is full, and by `flush`."""

    def __init__(self, account: Account, rejects: Rejects, take: Callable[[Records], None]) -> None:
        self._account = account
        self._rejects = rejects
        self._take = take
        self._buffer = np.empty(BUFFERED_RECORDS, RATING)
        self._count = 0

    def read(self, name: str, stream: BinaryIO, lines: Lines) -> None:
        """Read one file."""
        number = 1
        for block in whole_lines(stream):
            data = np.frombuffer(block, np.uint8)
            position = 0
            while position < len(block):
                before = self._count
                position, self._count, structure = lines.scan(data, position, self._buffer, before)
                number += self._count - before + structure
                self._account.structure += structure
                if self._count == len(self._buffer):
                    self.flush()
                elif position < len(block):
                    end = block.index(b"\n", position)
                    self._judge(name, number, block[position:end], lines)
                    number += 1
                    position = end + 1
        self._account.lines += number - 1

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self._count:
            self._take(self._buffer[: self._count])
            self._count = 0

    def _judge(self, name: str, number: int, data: bytes, lines: Lines) -> None:
        text = data.decode(errors="replace").removesuffix("\r")
        if len(data) <= LONGEST_LINE:
            judgement = lines.judge(text, number)
        else:
            lines.skip(text)
            judgement = "line is too long"
        if judgement == "":
            self._account.structure += 1
        elif isinstance(judgement, str):
            self._rejects.add(self._account, name, number, judgement, text)
        else:
            self._buffer[self._count] = judgement
            self._count += 1


def whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """A stream in blocks that end with a newline; a last line without one gets it, a byte order mark is left out.

    Of a line longer than LONGEST_LINE no more than needed to tell so is kept.
    """
    rest = b""
    mark = BYTE_ORDER_MARK
    while data := stream.read(BLOCK_BYTES):
        data = rest + data
        end = data.rfind(b"\n") + 1
        if end:
            yield data[:end].removeprefix(mark)
            mark = b""
        rest = data[end:][: LONGEST_LINE + 1]
    if rest:
        yield rest.removeprefix(mark) + b"\n"


def text_lines(
    name: str, stream: BinaryIO, encoding: str, account: Account, rejects: Rejects
) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines of a file that are neither empty nor too long; all are accounted for."""
    for block in whole_lines(stream):
        # Not splitlines: text may hold what latin-1 takes for another line end (0x85 is … in Windows-1252).
        for data in block.removesuffix(b"\n").split(b"\n"):
            line = data.decode(encoding, errors="replace")
            account.lines += 1
            if len(data) > LONGEST_LINE:
                rejects.add(account, name, account.lines, "line is too long", line)
            elif not line.strip():
                account.structure += 1
            else:
                yield account.lines, line.removesuffix("\r")


def whole_number(text: str) -> int | None:
    """The positive 32-bit number that a text is, or None."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0")
    return int(digits) if 0 < len(digits) <= 10 and int(digits) <= LARGEST_ID else None

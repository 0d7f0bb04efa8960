"""Reading tar archives as a stream.

`tarfile` reads them too, but takes an unreadable header, and a file cut off between two members, for the end of the
archive, and whatever size an extension header states into memory. Only its parser of one header is used here. The
format: POSIX pax, and GNU tar's long names (https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

import tarfile
from collections.abc import Iterator
from typing import Protocol

BLOCK = tarfile.BLOCKSIZE
SKIPPED_AT_ONCE = 1 << 20
LONGEST_EXTENSION = 1 << 20  # long names and attributes of one file; they are read into memory
GNU_LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)


class Stream(Protocol):
    """Bytes one after the other; `read` returns less than asked for at the end only."""

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes."""


class Part:
    """The next `size` bytes of a stream, as a stream of its own. Raises EOFError where they are not all there."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        size = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(size) if size else b""
        if len(data) < size:
            raise EOFError("cut off")
        self._left -= size
        return data

    def skip(self) -> None:
        """Read what is left."""
        while self.read(SKIPPED_AT_ONCE):
            pass


def tar_members(stream: Stream) -> Iterator[tuple[tarfile.TarInfo, Part]]:
    """Members (files, folders, links, …) with their content, which can be read until the next one is asked for.

    The end is a block of zeros, after which only zeros may follow: without it there is no telling an archive from one
    that is cut off. Raises tarfile.TarError or EOFError for an archive that is not whole.
    """
    extension: dict[str, str] = {}
    while (block := Part(stream, BLOCK).read()).count(0) < BLOCK:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
        if member.size < 0:
            raise tarfile.ReadError("a negative size")
        if member.type in (*GNU_LONG, *PAX, tarfile.XGLTYPE):
            extension |= _read_extension(member, stream)
            continue
        _extend(member, extension)
        content = Part(stream, 0 if member.isdir() else member.size)
        yield member, content
        content.skip()
        Part(stream, 0 if member.isdir() else -member.size % BLOCK).read()
        extension = {}
    if extension:
        raise tarfile.ReadError("an extension of no file")
    while data := stream.read(SKIPPED_AT_ONCE):
        if data.count(0) < len(data):
            raise tarfile.ReadError("more data after its end")


def is_tar(block: bytes) -> bool:
    """Whether a tar archive starts with this block: the mark of all since 1988, or else a right checksum."""
    if block[257:262] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.TarError:
        return False
    return True


def _read_extension(header: tarfile.TarInfo, stream: Stream) -> dict[str, str]:
    """What an extension header says of the next member, by pax's keywords."""
    if header.size > LONGEST_EXTENSION:
        raise tarfile.ReadError("an extension header of implausible size")
    data = Part(stream, header.size).read()
    Part(stream, -header.size % BLOCK).read()
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0").decode(errors="replace")}
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return {}
    records = _pax_records(data)
    if header.type in PAX:
        return records
    if {"path", "size"} & records.keys():
        raise tarfile.ReadError("one name or size for all members")
    return {}


def _pax_records(data: bytes) -> dict[str, str]:
    """Records `<length of all> <keyword>=<value>\\n`."""
    records: dict[str, str] = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 10)
        length = data[position : max(space, position)]
        end = position + int(length) if length.isdigit() else 0
        keyword, separator, value = data[space + 1 : end].partition(b"=")
        if not separator or not value.endswith(b"\n") or end > len(data):
            raise tarfile.ReadError("an unreadable extension header")
        records[keyword.decode(errors="replace")] = value[:-1].decode(errors="replace")
        position = end
    return records


def _extend(member: tarfile.TarInfo, extension: dict[str, str]) -> None:
    member.name = extension.get("path", member.name)
    size = extension.get("size", str(member.size))
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise tarfile.ReadError("an unreadable size")
    member.size = int(size)
    if any(keyword.startswith("GNU.sparse.") for keyword in extension):
        member.type = tarfile.GNUTYPE_SPARSE

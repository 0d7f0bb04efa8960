"""Reading archives as streams: nothing is unpacked to disk, nothing in them is trusted (`limits`)."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, Self, cast

from loader.files.limits import DAMAGE, Meter, Watch, printable
from loader.files.tar import BLOCK, Stream, is_tar, tar_members
from loader.formats.recognition import is_wanted

CHUNK = 1 << 20
COMPRESSED_CHUNK = 1 << 17
LARGEST_DIRECTORY = 128 << 20  # of a zip: `zipfile` makes objects of all of it before it can be counted
ZIP_END = b"PK\x05\x06"
ZIP = (b"PK\x03\x04", ZIP_END)  # an empty one has nothing but an end
ZIP_END_SIZE = 22
ZIP_UNCOUNTED = 0xFFFF  # there are more members than this, or the count is elsewhere
GZIP = b"\x1f\x8b"
TAR_NAMES = (".tar", ".tar.gz", ".tgz")
TAR_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
TAR_KINDS = {
    tarfile.LNKTYPE: "it is a hard link",
    tarfile.SYMTYPE: "it is a symbolic link",
    tarfile.CHRTYPE: "it is a device",
    tarfile.BLKTYPE: "it is a device",
    tarfile.FIFOTYPE: "it is a pipe",
    tarfile.GNUTYPE_SPARSE: "it is a sparse file",
}
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of the others `zipfile` takes whole chunks into memory
ZIP_ENCRYPTED = 0x1 | 0x40 | 0x2000  # members, strongly; the directory

Kind = Literal["zip", "tar", "tar.gz"]


@dataclass(frozen=True)
class Member:
    """One file of an input; its `stream` has `read(n)`, and can be read until the next member is asked for.

    `name` is what a person is told: the path of a plain file, or that of an archive with the member's path in it.
    """

    name: str
    basename: str
    stream: BinaryIO

    @classmethod
    def of(cls, name: str, stream: Stream, watch: Watch) -> Self:
        """A member whose stream raises no other error than SourceError."""
        return cls(name, name.rpartition("/")[2], cast(BinaryIO, ExplainedStream(stream, watch)))


class ExplainedStream:
    """A stream that raises no other error than SourceError."""

    def __init__(self, stream: Stream, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        with self._watch.explaining():
            return self._stream.read(size)


class ChunkedStream:
    """A stream made of chunks; `count` is told the size of each when its turn comes."""

    def __init__(self, chunks: Iterator[bytes], count: Callable[[int], object]) -> None:
        self._chunks = chunks
        self._count = count
        self._chunk = b""
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes, or all if it is negative."""
        parts: list[bytes] = []
        while size and (self._position < len(self._chunk) or self._begin_chunk()):
            part = self._chunk[self._position : None if size < 0 else self._position + size]
            parts.append(part)
            self._position += len(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def _begin_chunk(self) -> bool:
        self._chunk = next(self._chunks, b"")
        self._position = 0
        self._count(len(self._chunk))
        return bool(self._chunk)


class ArchiveFile(FileIO):
    """A file on disk of which no more is read at once than the directory of a zip may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        if size is not None and size > LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("its directory is too large")
        return super().read(size)


def archive_kind(path: Path) -> Kind | None:
    """What archive a file is, told by its content; None if it is none."""
    with path.open("rb") as file:
        head = file.read(BLOCK)
        if head.startswith(ZIP):
            return "zip"
        if not head.startswith(GZIP):
            return "tar" if is_tar(head) else None
        file.seek(0)
        try:
            return "tar.gz" if is_tar(ChunkedStream(gunzip(file), lambda _: None).read(BLOCK)) else None
        except DAMAGE:
            return "tar.gz"  # reading it tells what is wrong


def read_archive(path: Path, kind: Kind, progress: Callable[[int], object]) -> Iterator[Member]:
    """The wanted members of an archive, in the order they have on disk."""
    with ArchiveFile(path) as file:
        meter = Meter(file, progress)
        archive = Archive(path, Watch(path, meter))
        if kind == "zip":
            yield from archive.read_zip(file)
        else:
            yield from archive.read_tar(chunks(file) if kind == "tar" else gunzip(file))
        meter.finish()


class Archive:
    """Finds the wanted members of one archive."""

    def __init__(self, path: Path, watch: Watch) -> None:
        self._path = path
        self._watch = watch

    def read_zip(self, file: FileIO) -> Iterator[Member]:
        """Members of a zip."""
        with self._watch.explaining():
            directory = zipfile.ZipFile(file)
            _require_all_members(directory, file)
        members = sorted(directory.infolist(), key=lambda member: member.header_offset)
        for member in members:
            self._watch.member = member.orig_filename
            self._watch.admit(member.orig_filename, _zip_oddity(member))
        self._watch.member = ""
        self._watch.require_plausible(sum(member.file_size for member in members))
        for member in members:
            yield from self._read_zip_member(directory, member)

    def read_tar(self, content: Iterator[bytes]) -> Iterator[Member]:
        """Members of a tar."""
        return self._read_tar(ChunkedStream(content, self._watch.count), "", 1)

    def _read_zip_member(self, directory: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[Member]:
        self._watch.member = member.filename
        # Also of a member that is not wanted: its name is compared with the one that precedes its content, since the
        # directory has no checksum, and damage there could make any name one that is not wanted.
        with self._watch.explaining():
            stream = directory.open(member)
        if _is_read(member.filename):
            counted = ChunkedStream(chunks(stream), self._watch.count)
            yield from self._read_member(member.filename, counted, 1)

    def _read_tar(self, stream: Stream, folder: str, depth: int) -> Iterator[Member]:
        """`folder` is where the tar itself is, `depth` how many archives are around its members."""
        self._watch.require_depth(depth)
        members = tar_members(stream)
        while True:
            with self._watch.explaining():
                member, content = next(members, (None, None))
            if member is None or content is None:
                return
            self._watch.member = folder + member.name
            self._watch.admit(member.name, _tar_oddity(member))
            if not member.isdir() and _is_read(member.name):
                yield from self._read_member(folder + member.name, content, depth)

    def _read_member(self, name: str, stream: Stream, depth: int) -> Iterator[Member]:
        if not name.lower().endswith(TAR_NAMES):
            yield Member.of(f"{self._path}/{printable(name)}", stream, self._watch)
            return
        with self._watch.explaining():
            head = stream.read(len(GZIP))
        inner: Stream = ChunkedStream(chain([head], chunks(stream)), lambda _: None)  # they were counted already
        if head == GZIP:
            inner = ChunkedStream(gunzip(inner), self._watch.count)
        yield from self._read_tar(inner, f"{name}/", depth + 1)


def chunks(stream: Stream) -> Iterator[bytes]:
    """A stream, piece by piece."""
    return iter(lambda: stream.read(CHUNK), b"")


def gunzip(stream: Stream) -> Iterator[bytes]:
    """What a gzip file holds, piece by piece; zlib compares the checksum.

    A file may be several compressed ones in a row, and end with zeros. `gzip` reads 8 KiB at a time, which takes a
    quarter longer.
    """
    data = stream.read(COMPRESSED_CHUNK)
    while data:
        inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not inflater.eof:
            if not data:
                raise EOFError("cut off")
            if chunk := inflater.decompress(data, CHUNK):
                yield chunk
            data = inflater.unconsumed_tail or (b"" if inflater.eof else stream.read(COMPRESSED_CHUNK))
        data = inflater.unused_data.lstrip(b"\0")
        while not data and (more := stream.read(COMPRESSED_CHUNK)):
            data = more.lstrip(b"\0")


def _is_read(name: str) -> bool:
    *folders, basename = name.split("/")
    if "__MACOSX" in folders or basename.startswith("._"):
        return False  # where macOS keeps a file's attributes, under the file's own name
    return basename.lower().endswith(TAR_NAMES) or is_wanted(basename)


def _require_all_members(directory: zipfile.ZipFile, file: FileIO) -> None:
    """Compare with the count that ends a zip: `zipfile` takes a spoilt directory, in part or whole, for a comment."""
    file.seek(-ZIP_END_SIZE - len(directory.comment), 2)
    end = file.read(ZIP_END_SIZE)
    if not end.startswith(ZIP_END):
        raise zipfile.BadZipFile("more data after its end")
    if int.from_bytes(end[10:12], "little") not in (len(directory.infolist()), ZIP_UNCOUNTED):
        raise zipfile.BadZipFile("members are missing from its directory")


def _zip_oddity(member: zipfile.ZipInfo) -> str:
    """What makes a member something else than a file or folder that can be read."""
    if member.flag_bits & ZIP_ENCRYPTED:
        return "it is encrypted"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "it is a symbolic link"
    if member.compress_type not in ZIP_METHODS:
        return "it is compressed by another method than deflate"
    return "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "it is neither a file nor a folder"


def _tar_oddity(member: tarfile.TarInfo) -> str:
    if member.isdir() or member.type in TAR_FILES:
        return ""
    return TAR_KINDS.get(member.type, "it is neither a file nor a folder")

"""Finding and reading the files of an input: a folder, or an archive as it was downloaded."""

from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from loader.files.archives import ChunkedStream, Member, archive_kind, chunks, read_archive
from loader.files.limits import Meter, SourceError, Watch
from loader.formats.recognition import is_ratings_file, is_wanted


def input_files(path: Path) -> list[Path]:
    """The files on disk that make up an input, in the order they are read.

    Of a folder these are the wanted files in it and, in its `training_set/`, those with ratings; if none has ratings,
    also the archives in it. Raises SourceError where there is neither a folder nor an archive.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    try:
        if path.is_dir():
            return _folder_files(path)
        if path.is_file() and archive_kind(path):
            return [path]
    except OSError as error:
        raise _unreadable(path, error) from error
    raise SourceError(f"{path} is neither a folder nor a .zip, .tar or .tar.gz archive")


def read_members(path: Path, progress: Callable[[int], object]) -> Iterator[Member]:
    """The wanted files of an input and of the archives in it, one after the other.

    `progress` is told the bytes consumed on disk, which in the end add up to the size of `input_files`. Raises
    SourceError, also while a member is read, for an archive that is damaged or that holds what it should not.
    """
    files = input_files(path)
    try:
        for file in files:
            # What has a wanted name in a folder was not looked into: it is no archive.
            kind = None if file != path and is_wanted(file.name) else archive_kind(file)
            yield from read_archive(file, kind, progress) if kind else _read_plain(file, progress)
    except OSError as error:
        raise _unreadable(path, error) from error


def _folder_files(folder: Path) -> list[Path]:
    present = _plain_files(folder)
    files = [file for file in present if is_wanted(file.name)]
    files += [file for file in _plain_files(folder / "training_set") if is_ratings_file(file.name)]
    if any(is_ratings_file(file.name) for file in files):
        return files
    return files + [file for file in present if not is_wanted(file.name) and archive_kind(file)]


def _plain_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []


def _read_plain(path: Path, progress: Callable[[int], object]) -> Iterator[Member]:
    with FileIO(path) as file:
        meter = Meter(file, progress)
        stream = ChunkedStream(chunks(file), lambda _: meter.update())
        yield Member.of(str(path), stream, Watch(path, meter))
        meter.finish()


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{error.filename or path} cannot be read: {error.strerror}")

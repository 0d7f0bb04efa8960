"""Recognising an input: the files it was read from, by size, time and digest."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common.errors import RecommenderError


class InputChangedError(RecommenderError):
    """A file was written to while it was read."""


def describe_files(path: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size and time of change (nanoseconds) of an input's files."""
    return [
        {"name": _name(path, file), "size": (stat := file.stat()).st_size, "modified": stat.st_mtime_ns}
        for file in files
    ]


def add_digests(files: Sequence[Path], described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with `sha256`, read from the disk on two threads."""
    with ThreadPoolExecutor(2) as pool:
        return [{**known, "sha256": digest} for known, digest in zip(described, pool.map(_digest, files), strict=True)]


def require_unchanged(path: Path, files: Sequence[Path], described: list[dict[str, Any]]) -> None:
    """Raise InputChangedError if a file is not as it was described."""
    for before, file in zip(described, files, strict=True):
        try:
            [now] = describe_files(path, [file])
        except OSError:
            now = {"size": -1}
        if any(before[key] != now[key] for key in now):
            raise InputChangedError(f"{path} changed while it was read ({before['name']}): run the same command again")


def same_unread(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    """Whether two descriptions agree in names, sizes and times: the same content, without reading it."""
    return _columns(first, "name", "size", "modified") == _columns(second, "name", "size", "modified")


def name_content(described: list[dict[str, Any]], layout: int) -> str:
    """A name for what the files hold, in this layout; needs their digests."""
    content = repr((layout, _columns(described, "name", "size", "sha256")))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _columns(described: list[dict[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in keys) for row in described]


def _name(path: Path, file: Path) -> str:
    return file.name if file == path else str(file.relative_to(path))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

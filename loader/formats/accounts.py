"""Where the lines of files went, and which ones could not be used: nothing is dropped without a reason."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from common.files import open_privately

LONGEST_LINE = 1 << 16
# Signs of what is wrong that people are shown.
LONGEST_SHOWN = 200
KEPT_REJECTS = 1_000


@dataclass(frozen=True)
class Reject:
    """A line that could not be used: where, why, and what it says."""

    file: str
    line: int
    reason: str
    text: str

    def __str__(self) -> str:
        """As a person is told."""
        return f"{self.file}:{self.line}: {self.reason}: {self.text!r}"


@dataclass
class Account:
    """Where every line of some files went: lines = loaded + duplicates + rejected + structure."""

    lines: int = 0
    loaded: int = 0
    duplicates: int = 0
    rejected: int = 0
    structure: int = 0


@dataclass
class Rejects:
    """Takes all rejected lines: the first ones are kept to be shown, all go to a CSV file if there is one."""

    path: Path | None = None
    first: list[Reject] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stream = (
            open(self.path, "w", encoding="utf-8", errors="surrogateescape", newline="", opener=open_privately)
            if self.path
            else None
        )
        if self._stream:
            self._writer = csv.writer(self._stream)
            self._writer.writerow(["file", "line", "reason", "text"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream:
            self._stream.close()

    def add(self, account: Account, file: str, line: int, reason: str, text: str) -> None:
        """Reject one line of a file."""
        account.rejected += 1
        if len(self.first) < KEPT_REJECTS:
            self.first.append(Reject(file, line, reason, text[:LONGEST_SHOWN]))
        if self._stream:
            self._writer.writerow([file, line, reason, text[:LONGEST_LINE]])


def read_rejects(file: Path) -> Iterator[Reject]:
    """What `Rejects` wrote into its file."""
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        for row in csv.DictReader(stream):
            yield Reject(row["file"], int(row["line"]), row["reason"], row["text"][:LONGEST_SHOWN])

"""Users who were erased: what the graph remembers of them, and a copy of it in the data folder.

The graph's `(:Erased)` nodes are what counts: writers ask them in the transaction that writes, on whatever machine they
are. The copy is for a load or restore whose database is gone or does not start.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from neo4j import Record

from common.errors import RecommenderError
from common.files import exclusive, write_durably
from common.times import NEVER, moment_of, text_of
from graph.database import native


@dataclass(frozen=True)
class Tombstone:
    """A user who was erased. Once that is lifted, what happens later counts; what happened before never does."""

    user_id: int
    at: datetime
    lifted_at: datetime | None = None

    @classmethod
    def of(cls, record: Record) -> Self:
        """As `read_erasures` gives it."""
        return cls(record["userId"], record["at"].to_native(), native(record["liftedAt"]))

    @property
    def until(self) -> datetime:
        """Nothing of the user from before this moment may be kept."""
        return self.lifted_at or NEVER

    def to_row(self) -> dict[str, int | str | None]:
        """As the file and the queries want it."""
        return {"userId": self.user_id, "at": text_of(self.at), "liftedAt": text_of(self.lifted_at)}


def merge_tombstones(tombstones: Iterable[Tombstone]) -> list[Tombstone]:
    """One for each user, the latest that is known."""
    latest: dict[int, Tombstone] = {}
    for tombstone in sorted(tombstones, key=lambda one: (one.at, one.lifted_at or one.at)):
        latest[tombstone.user_id] = tombstone
    return [latest[user_id] for user_id in sorted(latest)]


def read_tombstones(file: Path) -> list[Tombstone]:
    """What a copy holds; nothing if there is none. Raises RecommenderError if it cannot be read."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [Tombstone(row["userId"], datetime.fromisoformat(row["at"]), moment_of(row["liftedAt"])) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RecommenderError(
            f"{file}, which tells who was erased, cannot be read ({error}): "
            "put it back, or remove it to go by the graph alone"
        ) from error


def keep_tombstones(file: Path, tombstones: Iterable[Tombstone]) -> None:
    """Add to a copy what it lacks."""
    with exclusive(file.with_suffix(".lock")):
        before = read_tombstones(file)
        after = merge_tombstones([*before, *tombstones])
        if after != before:
            write_durably(file, json.dumps([one.to_row() for one in after], indent=1))

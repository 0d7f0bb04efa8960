"""The right to be forgotten: who is erased, and the removal of what they left, in bounded transactions."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.retention import EDGES
from graph.tombstones import Tombstone, keep_tombstones


@dataclass(frozen=True)
class Removal:
    """How many edges of each type were removed, and whether that were all."""

    edges: dict[str, int]
    complete: bool


class Erasures:
    """Reads and writes of tombstones; `file` gets a copy (graph.tombstones)."""

    def __init__(self, database: Database, file: Path) -> None:
        self._database = database
        self._ingest = Ingest(database)
        self._file = file

    def read(self) -> list[Tombstone]:
        """All users who are or were erased."""
        return [Tombstone.of(record) for record in self._database.read("jobs/read_erasures")]

    def write(self, tombstones: Iterable[Tombstone]) -> None:
        """Take over tombstones of another database; what those users left here is for the caller to remove."""
        self._database.write("jobs/copy_erasures", rows=[one.to_row() for one in tombstones])

    def copy(self) -> None:
        """Keep the file up to date."""
        if tombstones := self.read():
            keep_tombstones(self._file, tombstones)

    def find_unfinished(self, before: datetime) -> list[int]:
        """Users erased by a moment who may still have edges."""
        return [record["userId"] for record in self._database.read("find_unfinished_erasures", before=before)]

    def remove(self, user_id: int, seconds: float = float("inf")) -> Removal:
        """Remove an erased user with all edges, some at a time; what is not done after so many seconds is left."""
        removed: Counter[str] = Counter()
        deadline = time.monotonic() + seconds
        while found := self._ingest.transact(lambda batch: batch.remove_user_edges(user_id, EDGES)):
            removed.update(found)
            if time.monotonic() > deadline:
                return Removal(dict(removed), complete=False)
        self._ingest.transact(lambda batch: batch.remove_user(user_id))
        return Removal(dict(removed), complete=True)

    def lift(self, user_id: int) -> bool:
        """Let a user come back from now on; returns whether the user was erased."""
        lifted = bool(self._database.write("lift_erasure", userId=user_id, at=utc_now()))
        self.copy()
        return lifted

"""Movies that are deleted: withdrawn at once, and removed with what happened until then, in bounded transactions."""

import time
from datetime import datetime

from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.retention import EDGES


class Deletions:
    """Withdraws movies, and removes those that are withdrawn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ingest = Ingest(database)

    def withdraw(self, movie_id: int) -> bool:
        """Offer a movie to nobody from now on, and note that it is to be removed; returns whether there is one."""
        return self._ingest.transact(lambda batch: batch.withdraw_movie(movie_id))

    def any_stands(self) -> bool:
        """Whether any movie was deleted and not put back since."""
        return any(not record["lifted"] for record in self._database.read("jobs/read_deletions"))

    def find_unfinished(self, before: datetime) -> list[int]:
        """Movies deleted by a moment that may still have edges from before it."""
        return [record["movieId"] for record in self._database.read("find_unfinished_deletions", before=before)]

    def remove(self, movie_id: int, seconds: float = float("inf")) -> bool:
        """Remove a withdrawn movie with its edges, some at a time; returns whether all was done in so many seconds."""
        deadline = time.monotonic() + seconds
        while self._ingest.transact(lambda batch: batch.remove_movie_edges(movie_id, EDGES)):
            if time.monotonic() > deadline:
                return False
        self._ingest.transact(lambda batch: batch.remove_movie(movie_id))
        return True

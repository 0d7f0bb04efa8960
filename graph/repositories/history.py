"""What users did."""

from typing import Literal

from graph.database import Database
from graph.repositories.movies import NamedMovie
from graph.shapes import EventId, Shape, Timestamp


class HistoryEntry(Shape):
    """A rating or a viewing."""

    type: Literal["rated", "started", "finished", "abandoned"]
    movie_id: int
    title: str | None
    year: int | None
    at: Timestamp
    rating: float | None
    started_at: Timestamp | None
    finished_at: Timestamp | None
    source: str | None
    event_id: EventId | None


class History:
    """Reads of users' histories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_history(self, user_id: int, offset: int, limit: int) -> list[HistoryEntry]:
        """Ratings and viewings of a user, newest first; nothing for an unknown one."""
        records = self._database.read("get_history", userId=user_id, offset=offset, limit=limit)
        return [HistoryEntry.from_record(record) for record in records]

    def sample_users(self, limit: int) -> list[int]:
        """Ids of some users, the lowest ones."""
        return [record["userId"] for record in self._database.read("sample_users", limit=limit)]

    def read_ratings_in_order(self, user_ids: list[int]) -> list[tuple[int, NamedMovie]]:
        """(user id, movie) of all ratings of some users, the earliest first."""
        records = self._database.read("read_ratings_in_order", userIds=user_ids)
        return [(record["userId"], NamedMovie.from_record(record)) for record in records]

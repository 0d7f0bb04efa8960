"""What users did."""

from dataclasses import dataclass
from datetime import datetime

from neo4j import Record

from graph.database import Database, native
from graph.repositories.movies import Movie


@dataclass(frozen=True)
class HistoryEntry:
    """A rating (`type` rated) or a viewing (`started`, `finished`)."""

    type: str
    movie_id: int
    title: str | None
    year: int | None
    at: datetime
    rating: float | None
    started_at: datetime | None
    finished_at: datetime | None
    source: str | None
    event_id: str | None


class History:
    """Reads of users' histories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_history(self, user_id: int, offset: int, limit: int) -> list[HistoryEntry]:
        """Ratings and viewings of a user, newest first; nothing for an unknown one."""
        records = self._database.read("get_history", userId=user_id, offset=offset, limit=limit)
        return [_history_entry(record) for record in records]

    def sample_users(self, limit: int) -> list[int]:
        """Ids of some users, the lowest ones."""
        return [record["userId"] for record in self._database.read("sample_users", limit=limit)]

    def read_ratings_in_order(self, user_ids: list[int]) -> list[tuple[int, Movie]]:
        """(user id, movie) of all ratings of some users, the earliest first; of a movie only what the feed tells."""
        records = self._database.read("read_ratings_in_order", userIds=user_ids)
        return [
            (record["userId"], Movie(record["movieId"], record["title"], record["year"], [], True, 0, None))
            for record in records
        ]


def _history_entry(record: Record) -> HistoryEntry:
    return HistoryEntry(
        type=record["type"],
        movie_id=record["movieId"],
        title=record["title"],
        year=record["year"],
        at=record["at"].to_native(),
        rating=record["rating"],
        started_at=native(record["startedAt"]),
        finished_at=native(record["finishedAt"]),
        source=record["source"],
        event_id=record["eventId"],
    )

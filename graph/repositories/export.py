"""All ratings and viewings, range by range of users, as columns."""

from dataclasses import dataclass
from typing import Any

from graph.database import Database, native

Columns = dict[str, list[Any]]
MOMENTS = ("startedAt", "lastSeenAt", "finishedAt", "abandonedAt")


@dataclass(frozen=True)
class RatingsOfUsers:
    """Some users, ascending, and their ratings: userId, movieId, rating, at (milliseconds since 1970), eventId."""

    user_ids: list[int]
    columns: Columns


class Export:
    """Reads of everything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_ratings(self, after: int, users: int) -> RatingsOfUsers | None:
        """Ratings of the next users after an id; None if there are no more."""
        columns: Columns = {name: [] for name in ("userId", "movieId", "rating", "at", "eventId")}
        records = self._database.read("jobs/export_ratings", after=after, users=users)
        for record in records:
            columns["userId"] += [record["userId"]] * len(record["movieIds"])
            columns["movieId"] += record["movieIds"]
            columns["rating"] += record["ratings"]
            columns["at"] += record["moments"]
            columns["eventId"] += [event_id or None for event_id in record["eventIds"]]
        return RatingsOfUsers([record["userId"] for record in records], columns) if records else None

    def read_viewings(self, after: int, until: int) -> Columns:
        """Viewings of the users `after` < id ≤ `until`."""
        records = self._database.read("jobs/export_viewings", after=after, until=until)
        columns: Columns = {}
        for name in ("userId", "movieId", "eventId", "source", *MOMENTS):
            values = [record[name] for record in records]
            columns[name] = [native(value) for value in values] if name in MOMENTS else values
        return columns

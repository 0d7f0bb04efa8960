"""Movies that events speak of and no catalogue has."""

from pydantic import Field

from graph.database import Database
from graph.shapes import Shape, Timestamp


class UnknownMovie(Shape):
    """A movie without a title, and how often events spoke of it."""

    movie_id: int
    kept: int = Field(description="Viewings, ratings and marks that are in the graph")
    refused: int = Field(description="Events that were refused, under RECOMMENDER_UNKNOWN_MOVIES=refuse")
    last_seen_at: Timestamp | None = Field(description="UTC; null for a movie that only a load speaks of")


class UnknownMovies:
    """Reads of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, movie_ids: list[int]) -> set[int]:
        """Those of some movies that no catalogue has."""
        return {record["movieId"] for record in self._database.read("find_unknown_movies", movieIds=movie_ids)}

    def list(self, offset: int, limit: int) -> list[UnknownMovie]:
        """The most frequent first."""
        records = self._database.read("list_unknown_movies", offset=offset, limit=limit)
        return [UnknownMovie.from_record(record) for record in records]

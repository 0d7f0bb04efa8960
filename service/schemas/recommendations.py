"""Recommendations: what is asked for, and what is answered."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from graph.repositories.movies import MovieFilter
from service.schemas.base import Body, Genre, Schema, Timestamp
from stream.events import EntityId, Year


def _check_distinct(ids: list[int]) -> list[int]:
    if len(set(ids)) < len(ids):
        raise ValueError("each id once")
    return ids


DistinctIds = Annotated[list[EntityId], AfterValidator(_check_distinct), Field(json_schema_extra={"uniqueItems": True})]


class FilterBody(Body):
    """Part of a list of recommendations, without what is not wanted."""

    offset: int = Field(0, ge=0, le=1_000_000, description="How many to pass over")
    exclude: list[EntityId] = Field([], max_length=1000, description="Movies to leave out")
    genre: Genre | None = Field(None, description="Only movies of this genre")
    year_from: Year | None = Field(None, description="Only movies of this year or later")
    year_to: Year | None = Field(None, description="Only movies of this year or earlier")

    def movie_filter(self) -> MovieFilter:
        """As the repositories want it."""
        return MovieFilter(tuple(self.exclude), self.genre, self.year_from, self.year_to)


class SessionBody(FilterBody):
    """Somebody without a name, known by movies."""

    model_config = ConfigDict(json_schema_extra={"example": {"movieIds": [260, 1196], "limit": 3, "yearFrom": 1990}})

    movie_ids: list[EntityId] = Field(min_length=1, max_length=1000, description="Movies watched, in any order")
    limit: int = Field(10, ge=1, le=200, description="How many at most")


class BatchBody(FilterBody):
    """Many users, who are all asked the same."""

    model_config = ConfigDict(json_schema_extra={"example": {"userIds": [1, 2, 3], "limit": 5, "exclude": [50]}})

    user_ids: DistinctIds = Field(min_length=1, max_length=100)
    limit: int = Field(10, ge=1, le=50, description="How many at most for each user")


class Reason(Schema):
    """A movie of the history and what it adds to the score."""

    movie_id: int
    title: str | None
    contribution: float


class RecommendedMovie(Schema):
    """A recommended movie; `because` names the largest contributions first."""

    movie_id: int
    title: str | None
    year: int | None
    score: float = Field(description="What it means depends on where the movie comes from")
    because: list[Reason] = Field(description="Empty for a movie that the history does not lead to")


class OfferedMovie(RecommendedMovie):
    """A recommended movie, with the stars that the user would give it, if they are asked for."""

    predicted_rating: float | None = None


class Recommendations(Schema):
    """What to watch next.

    First what the history leads to, then what is trending, then the other watched movies, the most popular first.
    """

    user_id: int | None
    basis: Literal["history", "trending", "popular"] = Field(
        description="Where the first movie of this page comes from"
    )
    model_version: str | None
    generated_at: Timestamp
    recommendations: list[OfferedMovie]


class RecommendationLists(Schema):
    """One list a user, in the order of the request."""

    lists: list[Recommendations]


class Explanation(Schema):
    """Why a movie is recommended: all contributions, which add up to the score, and the query that draws them."""

    user_id: int
    movie_id: int
    title: str | None
    score: float
    because: list[Reason]
    cypher: str = Field(description="To paste into Neo4j Browser")


class PushedRecommendations(Schema):
    """Pushed when a finished movie led to a fresh list; `batchId` is the finish's eventId, else the viewing's."""

    user_id: int
    batch_id: str
    basis: Literal["history", "trending", "popular"]
    model_version: str | None
    at: Timestamp
    recommendations: list[RecommendedMovie]

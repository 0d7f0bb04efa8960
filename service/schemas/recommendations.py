"""Recommendations: what is asked for, and what is answered."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from graph.repositories.movies import MovieFilter
from graph.repositories.recommendations import LIST_LENGTH
from service.schemas.base import Body, Current, Genre, Schema, Timestamp
from stream.events import EntityId, Year


def _check_distinct(ids: list[int]) -> list[int]:
    if len(set(ids)) < len(ids):
        raise ValueError("each id once")
    return ids


Basis = Annotated[
    Literal["history", "trending", "popular"],
    Field(
        description="`history` if any of the movies owes something to it; else `trending` if most are there for those "
        "who watched them lately, or `popular`"
    ),
]
DistinctIds = Annotated[list[EntityId], AfterValidator(_check_distinct), Field(json_schema_extra={"uniqueItems": True})]


class FilterBody(Body):
    """Part of a list of recommendations, without what is not wanted."""

    offset: int = Field(0, ge=0, le=1_000_000, description="How many to pass over")
    exclude: list[EntityId] = Field([], max_length=1000, description="Movies to leave out")
    genre: Genre | None = Field(None, description="Only movies of this genre")
    year_from: Year | None = Field(None, description="Only movies of this year or later")
    year_to: Year | None = Field(None, description="Only movies of this year or earlier")
    current: Current | None = Field(None)

    def movie_filter(self) -> MovieFilter:
        """As the repositories want it."""
        return MovieFilter(tuple(self.exclude), self.genre, self.year_from, self.year_to)


class SessionBody(FilterBody):
    """Somebody without a name, known by movies."""

    model_config = ConfigDict(json_schema_extra={"example": {"movieIds": [260, 1196], "limit": 3, "current": 0.2}})

    movie_ids: list[EntityId] = Field(min_length=1, max_length=1000, description="Movies watched, in any order")
    limit: int = Field(LIST_LENGTH, ge=1, le=200, description="How many at most")


class BatchBody(FilterBody):
    """Many users, who are all asked the same."""

    model_config = ConfigDict(json_schema_extra={"example": {"userIds": [1, 2, 3], "limit": 5, "exclude": [50]}})

    user_ids: DistinctIds = Field(min_length=1, max_length=100)
    limit: int = Field(LIST_LENGTH, ge=1, le=50, description="How many at most for each user")


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
    score: float = Field(
        description="`current` and all contributions together; behind all of these movies, how popular a movie is"
    )
    current: float = Field(description="What the movie being current adds to the score")
    because: list[Reason] = Field(description="Empty for a movie that the history does not lead to")


class OfferedMovie(RecommendedMovie):
    """A recommended movie, with the stars that the user would give it, if they are asked for."""

    predicted_rating: float | None = None


class Recommendations(Schema):
    """What to watch next.

    First what the history leads to and what is current, by their score, then the other watched movies, the most popular
    first.
    """

    user_id: int | None
    basis: Basis
    model_version: str | None
    generated_at: Timestamp = Field(
        description="UTC. What the user did until then is in the list; what others did later may not change it for ten "
        "minutes"
    )
    recommendations: list[OfferedMovie]


class RecommendationLists(Schema):
    """One list a user, in the order of the request."""

    lists: list[Recommendations]


class Explanation(Schema):
    """Why a movie is recommended: all that adds up to the score, and the query that draws it."""

    user_id: int
    movie_id: int
    title: str | None
    generated_at: Timestamp = Field(description="UTC. A list of another moment may have another score")
    score: float = Field(description="`current` and all contributions of `because` together")
    current: float = Field(description="What the movie being current adds to the score")
    because: list[Reason] = Field(description="Empty for a movie that is only current")
    cypher: str = Field(description="To paste into Neo4j Browser")


class PushedRecommendations(Schema):
    """Pushed when a finished movie led to a fresh list; `batchId` is the finish's eventId, else the viewing's."""

    user_id: int
    batch_id: str
    basis: Basis
    model_version: str | None
    at: Timestamp
    recommendations: list[RecommendedMovie]

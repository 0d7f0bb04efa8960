"""Recommendations: what is asked for, and what is answered."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field

from graph.repositories.movies import MovieFilter
from graph.repositories.recommendations import LIST_LENGTH, Reason, RecommendationList
from graph.shapes import Shape, Timestamp
from service.schemas.base import Body, Current, GenreName, UnknownMovies
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
    genre: GenreName | None = Field(None, description="Only movies of this genre")
    year_from: Year | None = Field(None, description="Only movies of this year or later")
    year_to: Year | None = Field(None, description="Only movies of this year or earlier")
    current: Current | None = Field(None)

    def movie_filter(self) -> MovieFilter:
        """As the repositories want it."""
        return MovieFilter(tuple(self.exclude), self.genre, self.year_from, self.year_to)


class SessionBody(FilterBody):
    """Somebody without a name, known by movies."""

    model_config = ConfigDict(json_schema_extra={"example": {"movieIds": [260, 1196], "limit": 3, "current": 0.2}})

    movie_ids: list[EntityId] = Field(
        min_length=1,
        max_length=1000,
        description="Movies watched, in any order. All are left out; as many as the history limit lead to others",
    )
    limit: int = Field(LIST_LENGTH, ge=1, le=200, description="How many at most")


class BatchBody(FilterBody):
    """Many users, who are all asked the same."""

    model_config = ConfigDict(json_schema_extra={"example": {"userIds": [1, 2, 3], "limit": 5, "exclude": [50]}})

    user_ids: DistinctIds = Field(min_length=1, max_length=100)
    limit: int = Field(LIST_LENGTH, ge=1, le=50, description="How many at most for each user")


class SessionList(RecommendationList):
    """What to watch next after some movies."""

    unknown_movies: UnknownMovies

    @classmethod
    def of(cls, found: RecommendationList, unknown: list[int]) -> Self:
        """A list, and the movies of the session that it could not be made from."""
        return cls(**dict(found), unknown_movies=unknown)


class RecommendationLists(Shape):
    """One list a user, in the order of the request."""

    lists: list[RecommendationList]


class ListResult(Shape):
    """Whether a user's list was made in time."""

    user_id: int
    status: Literal[200, 503] = Field(description="200: the list is among `lists`; 503: not in time, ask again")


class ListsInTime(RecommendationLists):
    """The lists that were made in time, in the order of the request, and one result a user."""

    results: list[ListResult]


class Explanation(Shape):
    """Why a movie is recommended: all that adds up to the score, and the query that draws it."""

    user_id: int
    movie_id: int
    title: str | None
    generated_at: Timestamp = Field(description="UTC. A list of another moment may have another score")
    score: float = Field(description="`current` and all contributions of `because` together")
    current: float = Field(description="What the movie being current adds to the score")
    because: list[Reason] = Field(description="Empty for a movie that is only current")
    cypher: str = Field(description="To paste into Neo4j Browser")

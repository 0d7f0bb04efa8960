"""Paths and query strings."""

from typing import Annotated

from pydantic import BaseModel, Field

from common.settings import Settings
from graph.repositories.movies import MovieFilter
from graph.repositories.recommendations import LIST_LENGTH
from service.access.stream_tokens import LONGEST as LONGEST_TOKEN
from service.schemas.base import Current, GenreName, Query, Request
from stream.events import EntityId, Year

UserId = Annotated[EntityId, Field(json_schema_extra={"example": 1})]
MovieId = Annotated[EntityId, Field(json_schema_extra={"example": 318})]


class UserPath(Request):
    """Path of a user."""

    user_id: UserId


class UserMoviePath(UserPath):
    """Path of a movie recommended to a user."""

    movie_id: MovieId


class MoviePath(Request):
    """Path of a movie."""

    movie_id: MovieId


class EventPath(Request):
    """Path of an event."""

    event_id: str = Field(
        min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", json_schema_extra={"example": "order-4711"}
    )


class EventsHeader(BaseModel):
    """Headers of a request that brings events."""

    # Aliases as flask-openapi3 looks headers up.
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A retry with the same key and body counts once, for at least 24 hours, also without eventIds",
        json_schema_extra={"example": "8e03978e-40d5-43dd-bc93-6894a57f9324"},
    )


class PageQuery(Query):
    """Part of a list."""

    limit: int = Field(LIST_LENGTH, ge=1, le=200, description="How many at most", json_schema_extra={"example": 10})
    offset: int = Field(0, ge=0, le=1_000_000, description="How many to pass over", json_schema_extra={"example": 0})


class FilterQuery(PageQuery):
    """Part of a list of recommendations, without what is not wanted."""

    exclude: str | None = Field(
        None,
        max_length=3600,  # percent-encoded it still fits into gunicorn's longest request line
        pattern=r"^[0-9]{1,10}(,[0-9]{1,10})*$",
        description="Movie ids to leave out, separated by commas",
        json_schema_extra={"example": "1,50"},
    )
    genre: GenreName | None = Field(None, description="Only movies of this genre")
    year_from: Year | None = Field(
        None, description="Only movies of this year or later", json_schema_extra={"example": 1990}
    )
    year_to: Year | None = Field(
        None, description="Only movies of this year or earlier", json_schema_extra={"example": 2010}
    )
    diversity: float = Field(
        0, ge=0, le=1, description="Variety: 0 for none, 1 for all that can be had", json_schema_extra={"example": 0}
    )
    current: Current | None = Field(None)
    stars: bool = Field(
        False, description="With the stars that the user would give each movie", json_schema_extra={"example": False}
    )

    def movie_filter(self) -> MovieFilter:
        """As the repositories want it."""
        excluded = tuple(int(part) for part in (self.exclude or "").split(",") if part)
        return MovieFilter(excluded, self.genre, self.year_from, self.year_to)


class ExplanationQuery(Query):
    """By which dial a score is explained: that of the list that it is in."""

    current: Current | None = Field(None)


class PredictionsQuery(Query):
    """Which movies to predict the stars of."""

    movies: str = Field(
        max_length=2200,
        pattern=r"^[0-9]{1,10}(,[0-9]{1,10}){0,199}$",
        description="Movie ids, up to 200, separated by commas",
        json_schema_extra={"example": "318,50"},
    )

    def movie_ids(self) -> list[int]:
        """The ids, as numbers."""
        return [int(part) for part in self.movies.split(",")]


class SearchQuery(PageQuery):
    """A search for movies."""

    query: str = Field(
        min_length=1,
        max_length=200,
        description="Words of the title; typos and accents are forgiven",
        json_schema_extra={"example": "terminatr"},
    )


class StreamQuery(Query):
    """Which pushes to follow."""

    user_id: UserId | None = Field(None, description="Only this user's; all if absent")
    recent: int = Field(
        0,
        ge=0,
        le=100,
        description="Begin with so many of the latest batches of changes",
        json_schema_extra={"example": 0},
    )
    # A wrong one is answered before this is looked at.
    token: str | None = Field(
        None,
        max_length=LONGEST_TOKEN,
        description="Of `POST /v1/stream/tokens`, in the place of a key",
        json_schema_extra={"example": "WyJ3ZWIiLCI…"},
    )


class FeedbackQuery(Query):
    """Since when."""

    days: float = Field(
        Settings().hit_window,
        gt=0,
        le=365,
        description="Lists of the last so many days",
        json_schema_extra={"example": 7},
    )

"""Requests and responses of the REST API; the OpenAPI document is made from these."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, RootModel, model_validator
from pydantic.alias_generators import to_camel

from graph.repositories.movies import MovieFilter
from stream.events import API, FEED, EntityId, Event, EventType, Moment, Year

Timestamp = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"), return_type=str),
    Field(description="UTC", json_schema_extra={"format": "date-time"}),
]


class Schema(BaseModel):
    """camelCase outside, snake_case inside; made from the repositories' dataclasses."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class Request(Schema):
    """What a client sends: names that are not known are an error."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=False, extra="forbid")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field("about:blank", description="Kind of problem")
    title: str = Field(description="The status in words")
    status: int
    detail: str = Field(description="What to do about it")
    errors: list["FieldProblem"] | None = Field(None, description="Each parameter that is wrong")
    request_id: str | None = Field(None, alias="requestId", description="What the log calls this request")


class FieldProblem(BaseModel):
    """One parameter that is wrong."""

    name: str = Field(description="Parameter or path into the body", examples=["limit"])
    detail: str


class UserPath(Request):
    """Path of a user."""

    user_id: EntityId


class UserMoviePath(UserPath):
    """Path of a movie recommended to a user."""

    movie_id: EntityId


class MoviePath(Request):
    """Path of a movie."""

    movie_id: EntityId


class PageQuery(Request):
    """Part of a list."""

    limit: int = Field(10, ge=1, le=200, description="How many at most")
    offset: int = Field(0, ge=0, le=1_000_000, description="How many to pass over")


class FilterQuery(PageQuery):
    """Part of a list of recommendations, without what is not wanted."""

    exclude: str | None = Field(
        None,
        max_length=10_000,
        pattern=r"^\d{1,10}(,\d{1,10})*$",
        description="Movie ids to leave out, separated by commas: 1,50",
    )
    genre: str | None = Field(None, min_length=1, max_length=50, description="Only movies of this genre")
    year_from: Year | None = Field(None, description="Only movies of this year or later")
    year_to: Year | None = Field(None, description="Only movies of this year or earlier")

    diversity: float = Field(0, ge=0, le=1, description="Variety: 0 for none, 1 for all that can be had")

    def movie_filter(self) -> MovieFilter:
        """As the repositories want it."""
        excluded = tuple(int(part) for part in (self.exclude or "").split(",") if part)
        return MovieFilter(excluded, self.genre, self.year_from, self.year_to)


class SearchQuery(PageQuery):
    """A search for movies."""

    query: str = Field(min_length=1, max_length=200, description="Words of the title; typos and accents are forgiven")


class StreamQuery(Request):
    """Which pushes to follow."""

    user_id: EntityId | None = Field(None, description="Only this user's; all if absent")


class SessionBody(Request):
    """Somebody without a name, known by movies."""

    movie_ids: list[EntityId] = Field(min_length=1, max_length=1000, description="Movies watched, in any order")
    limit: int = Field(10, ge=1, le=200)
    offset: int = Field(0, ge=0, le=1_000_000)
    exclude: list[EntityId] = Field([], max_length=1000)
    genre: str | None = Field(None, min_length=1, max_length=50)
    year_from: Year | None = None
    year_to: Year | None = None

    def movie_filter(self) -> MovieFilter:
        """As the repositories want it."""
        return MovieFilter(tuple(self.exclude), self.genre, self.year_from, self.year_to)


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
    score: float
    because: list[Reason]


class Recommendations(Schema):
    """What to watch next. `basis` tells where it comes from."""

    user_id: int | None
    basis: Literal["history", "trending", "popular"]
    model_version: str | None
    generated_at: Timestamp
    recommendations: list[RecommendedMovie]


class Explanation(Schema):
    """Why a movie is recommended: all contributions, which add up to the score, and the query that draws them."""

    user_id: int
    movie_id: int
    title: str | None
    score: float
    because: list[Reason]
    cypher: str = Field(description="To paste into Neo4j Browser")


class HistoryEntry(Schema):
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
    event_id: str | None


class History(Schema):
    """A user's ratings and viewings, newest first."""

    user_id: int
    history: list[HistoryEntry]


class Movie(Schema):
    """A movie of the catalogue."""

    movie_id: int
    title: str | None
    year: int | None
    genres: list[str]
    available: bool
    rating_count: int
    rating_mean: float | None


class ScoredMovie(Schema):
    """A movie in a list."""

    movie_id: int
    title: str | None
    year: int | None
    score: float


class MovieList(Schema):
    """Movies, the highest score first."""

    movies: list[ScoredMovie]


class EventBody(Request):
    """Something a user did."""

    user_id: EntityId
    movie_id: EntityId
    type: Literal["started", "progress", "finished", "rated", "liked", "listed", "clicked"]
    rating: float | None = Field(None, ge=0.5, le=5, multiple_of=0.5, description="Stars; for `rated` only")
    value: Literal[1, -1] | None = Field(None, description="For `liked`: 1, or -1 for not interested")
    at: Moment | None = Field(None, description="When; now if absent. Without a zone it counts as UTC")
    event_id: str | None = Field(
        None, min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", description="The same id is the same event"
    )

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if (self.type == "rated") != (self.rating is not None):
            raise ValueError("a rated event, and no other, has a rating")
        if self.event_id and self.event_id.startswith(f"{FEED}:"):
            raise ValueError(f"an eventId that begins with {FEED}: is the feed's")
        if self.type != "liked" and self.value is not None:
            raise ValueError("only a liked event has a value")
        return self

    def to_event(self, now: datetime, event_id: str) -> Event:
        """The event for the log; `now` and `event_id` stand in for what the client left out."""
        value = (self.value or 1) if self.type == "liked" else None
        return Event(
            type=EventType(self.type),
            source=API,
            at=self.at or now,
            event_id=self.event_id or event_id,
            user_id=self.user_id,
            movie_id=self.movie_id,
            rating=self.rating,
            value=value,
        )


def _describe_events(schema: dict[str, Any]) -> None:
    many = {key: schema.pop(key) for key in ("type", "items", "minItems", "maxItems")}
    schema["oneOf"] = [many["items"], many]


class EventsBody(RootModel[Annotated[list[EventBody], Field(min_length=1, max_length=1000)]]):
    """One event or a list."""

    model_config = ConfigDict(json_schema_extra=_describe_events)

    @model_validator(mode="before")
    @classmethod
    def _as_list(cls, body: object) -> object:
        if body is None:
            raise ValueError("the body is no JSON, or its Content-Type is not application/json")
        return [body] if isinstance(body, dict) else body


class EventResult(Schema):
    """What became of an event."""

    event_id: str
    received: Literal[True] = Field(True, description="It is on the durable log")
    applied: bool = Field(description="It is in the graph; false while Neo4j is away, then it will follow")
    recommendations: Recommendations | None = Field(None, description="Fresh ones, for a finished event")
    recommendations_url: str | None = Field(None, description="Where they are, for users past the first 20")


class EventPath(Request):
    """Path of an event."""

    event_id: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")


class UndoneEvent(Schema):
    """An event that does not count any more."""

    event_id: str
    applied: bool = Field(description="The graph is without it; false while Neo4j is away, then it will be")
    effects: int | None = Field(description="How many viewings, ratings or marks it took back; 0 if it had left none")


class EventResults(Schema):
    """One result an event, in the order of the request."""

    results: list[EventResult]


class FeedbackQuery(Request):
    """Since when."""

    days: float = Field(7, gt=0, le=365, description="Lists of the last so many days")


class RankFeedback(Schema):
    """Recommendations at one rank, 1 being the first, and how many of them were watched."""

    rank: int
    recommendations: int
    hits: int


class Feedback(Schema):
    """What became of the stored lists: a hit is a recommended movie that its user went on to watch."""

    since: Timestamp
    lists: int
    lists_with_hit: int
    hit_rate: float | None = Field(description="Share of the lists with a hit")
    recommendations: int
    hits: int
    median_seconds_to_hit: float | None = Field(description="From the list to the viewing")
    slow_seconds_to_hit: float | None = Field(description="Nine of ten hits came sooner")
    ranks: list[RankFeedback]


class PartState(Schema):
    """Whether one part is ready."""

    ready: bool
    detail: str


class Readiness(Schema):
    """Whether the service can answer, and which part keeps it from it."""

    ready: bool
    parts: dict[str, PartState]


class Liveness(Schema):
    """The process answers."""

    live: Literal[True] = True


class Watch(Schema):
    """Pushed when a viewing starts or ends; `abandoned` if it was too short to count as finished."""

    user_id: int
    movie_id: int
    title: str | None
    year: int | None
    status: Literal["started", "finished", "abandoned"]
    at: Timestamp
    event_id: str


class PushedRecommendations(Schema):
    """Pushed when a finished movie led to a fresh list; `batchId` is the finish's eventId, else the viewing's."""

    user_id: int
    batch_id: str
    basis: Literal["history", "trending", "popular"]
    model_version: str | None
    at: Timestamp
    recommendations: list[RecommendedMovie]

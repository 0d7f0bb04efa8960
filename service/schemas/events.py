"""What clients tell, and what became of it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, model_validator

from graph.repositories.recommendations import RecommendationList
from graph.shapes import EventId, Shape, own_id
from service.schemas.base import Body
from service.schemas.moments import WrittenMoment
from service.schemas.parameters import MovieId, UserId
from stream.events import API, FEED, Event, EventType, Outcome


def _refuse_boolean(value: object) -> object:
    """To Python True is 1."""
    if isinstance(value, bool):
        raise ValueError("must be 1 or -1")
    return value


def _describe_event(schema: dict[str, Any]) -> None:
    """Tell which type has which values."""
    nothing = {"type": "null"}
    told = schema["properties"]

    def variant(types: list[str], required: list[str], **values: dict[str, Any]) -> dict[str, Any]:
        properties = {**told, "type": {"enum": types, "type": "string"}, "rating": nothing, "value": nothing, **values}
        return {**plain, "properties": properties, "required": [*schema["required"], *required]}

    plain = {"type": "object", "additionalProperties": False}
    stars = {**told["rating"]["anyOf"][0], "description": told["rating"]["description"]}
    others = [name for name in told["type"]["enum"] if name not in ("rated", "liked")]
    variants = [
        variant(others, []),
        variant(["rated"], ["rating"], rating=stars),
        variant(["liked"], [], value=told["value"]),
    ]
    for key in ("properties", "required", "type", "additionalProperties"):
        schema.pop(key)
    schema["oneOf"] = variants


class EventBody(Body):
    """Something a user did."""

    model_config = ConfigDict(json_schema_extra=_describe_event)

    user_id: UserId
    movie_id: MovieId
    type: Literal["started", "progress", "finished", "rated", "liked", "listed", "clicked"]
    rating: float | None = Field(None, ge=0.5, le=5, multiple_of=0.5, description="Stars; for `rated` only")
    value: Annotated[Literal[1, -1] | None, BeforeValidator(_refuse_boolean)] = Field(
        None, description="For `liked`: 1, or -1 for not interested"
    )
    at: WrittenMoment = Field(
        None,
        description="When, from 1900 until a few minutes ahead of the service's clock (RECOMMENDER_FUTURE_MINUTES); "
        "now if absent. As RFC 3339 has it; seconds may be left out, and the zone, without which it counts as UTC. A "
        "leap second counts as the one after it",
    )
    event_id: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description=f"The same id is the same event. Ids that begin with {FEED}: are the feed's",
        json_schema_extra={"not": {"type": "string", "pattern": f"^{FEED}:"}},
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

    def to_event(self, now: datetime, event_id: str, owner: str | None) -> Event:
        """The event for the log; `now` and `event_id` stand in for what the client left out. `owner`: of its id."""
        value = (self.value or 1) if self.type == "liked" else None
        return Event(
            type=EventType(self.type),
            source=API,
            at=self.at or now,
            event_id=own_id(owner, self.event_id or event_id),
            user_id=self.user_id,
            movie_id=self.movie_id,
            rating=self.rating,
            value=value,
        )


def _describe_events(schema: dict[str, Any]) -> None:
    many = {key: schema.pop(key) for key in ("type", "items", "minItems", "maxItems")}
    schema["oneOf"] = [many["items"], many]
    schema["example"] = {"userId": 1, "movieId": 318, "type": "finished", "eventId": "player-4711"}


class EventsBody(RootModel[Annotated[list[EventBody], Field(min_length=1, max_length=1000)]]):
    """One event or a list."""

    model_config = ConfigDict(json_schema_extra=_describe_events)

    @model_validator(mode="before")
    @classmethod
    def _as_list(cls, body: object) -> object:
        return [body] if isinstance(body, dict) else body

    def places_after(self, latest: datetime) -> list[int]:
        """Which events have a later moment."""
        return [place for place, event in enumerate(self.root) if event.at is not None and event.at > latest]


OUTCOMES = (
    "applied: the graph has changed; repeated: what it says is in the graph already; outdated: something newer is "
    "stored, or came with it; undone: it was taken back, perhaps before it came; erased: nothing is kept of its user; "
    "deleted: its movie was deleted after it happened; "
    "logged: Neo4j is away, and it will be applied; conflict: its id was given to another event at the same moment"
)


class EventResult(Shape):
    """What became of an event."""

    event_id: EventId
    received: Literal[True] = Field(True, description="It is on the durable log")
    applied: bool = Field(description="It changed the graph just now, or is in it already")
    outcome: Outcome = Field(description=OUTCOMES)
    recommendations: RecommendationList | None = Field(None, description="Fresh ones, for a finished event")
    recommendations_url: str | None = Field(None, description="Where they are, for users past the first 20")


class EventResults(Shape):
    """One result an event, in the order of the request."""

    results: list[EventResult]


class UndoneEvent(Shape):
    """An event that does not count any more."""

    event_id: EventId
    applied: bool = Field(description="The graph is without it; false while Neo4j is away, then it will be")
    effects: int | None = Field(description="How many viewings, ratings or marks it took back; 0 if it left none")


class RemovedEdges(Shape):
    """How many of each there were."""

    ratings: int = 0
    viewings: int = 0
    likes: int = 0
    listings: int = 0
    clicks: int = 0
    recommendations: int = 0


class ErasedUser(Shape):
    """A user of whom nothing is kept, until that is lifted (`python -m graph erasures lift`)."""

    user_id: int
    applied: bool = Field(description="All is removed; false while Neo4j is away or busy, then the worker removes it")
    removed: RemovedEdges | None = Field(description="What was removed just now")

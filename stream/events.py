"""The event model: what the log holds, whether the feed saw it or a client sent it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from common.times import to_utc
from graph.repositories.interactions import LARGEST_ID, KnownEvent

FEED = "feed"
API = "api"
# Of the id of an event that takes another one back: the name of a key has no colon.
UNDO_PREFIX = "undo: "
EARLIEST = datetime(1899, 12, 31)  # the first moment of 1900 that is written with a zone may be of that day
LATEST = datetime(2200, 1, 1)


def _utc(moment: datetime) -> datetime:
    try:
        moment = to_utc(moment)
    except OverflowError as error:
        raise ValueError(f"{moment} is out of range") from error
    # A day before or after must be a moment, too, and nobody watched movies then.
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"{moment} is not between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}")
    return moment


EntityId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Moment = Annotated[datetime, AfterValidator(_utc)]
Year = Annotated[int, Field(ge=1800, le=2200)]


class EventType(StrEnum):
    """What happened. `watching` and `polled` come from the feed only."""

    WATCHING = "watching"
    POLLED = "polled"
    STARTED = "started"
    PROGRESS = "progress"
    FINISHED = "finished"
    RATED = "rated"
    LIKED = "liked"
    LISTED = "listed"
    CLICKED = "clicked"
    UNDONE = "undone"
    ERASED = "erased"


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"  # the graph has changed
    REPEATED = "repeated"  # what it says is in the graph already
    OUTDATED = "outdated"  # something newer is stored, or came with it
    UNDONE = "undone"  # it was taken back, perhaps before it came
    ERASED = "erased"  # of a user of whom nothing is kept
    DELETED = "deleted"  # with a movie that was deleted since
    CONFLICT = "conflict"  # its id is another event's
    LOGGED = "logged"  # on the durable log, to be applied once Neo4j answers


SIGHTINGS = {EventType.WATCHING, EventType.STARTED, EventType.PROGRESS}
WITHOUT_MOVIE = {EventType.POLLED, EventType.UNDONE, EventType.ERASED}


class Event(BaseModel):
    """One thing that happened.

    User and movie are absent from a `polled` marker, which ends a poll's sightings, and from an `undone` event, which
    takes back the event whose id is `undoes`. An `erased` event, which has the user forgotten, has no movie.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")

    type: EventType
    source: str
    at: Moment
    event_id: str | None = None
    user_id: EntityId | None = None
    movie_id: EntityId | None = None
    rating: float | None = Field(None, ge=0.5, le=5)
    value: Literal[1, -1] | None = None
    title: str | None = None
    year: Year | None = None
    undoes: str | None = None

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.type is EventType.UNDONE and self.undoes is None:
            raise ValueError("an undone event tells what it undoes")
        if self.type is EventType.ERASED and self.user_id is None:
            raise ValueError("an erased event has a user")
        if self.type not in WITHOUT_MOVIE and None in (self.user_id, self.movie_id):
            raise ValueError(f"a {self.type} event has a user and a movie")
        if (self.type is EventType.RATED) != (self.rating is not None):
            raise ValueError("a rated event, and no other, has a rating")
        return self

    def as_known(self) -> KnownEvent:
        """What the graph knows of it once it is applied; the moment, which a client may leave out, is no part."""
        kind = EventType.STARTED if self.type in SIGHTINGS else self.type
        return KnownEvent(kind, self.user_id, self.movie_id, self.value if self.rating is None else self.rating)

    @property
    def key(self) -> str:
        """The event's own id, else one that follows from source, user, movie and moment."""
        return self.event_id or f"{self.source}:{self.user_id}:{self.movie_id}:{self.at:%Y%m%dT%H%M%S.%f}"

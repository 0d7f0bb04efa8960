"""The event model: what the log holds, whether the feed saw it or a client sent it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from graph.times import to_utc

FEED = "feed"
API = "api"
LARGEST_ID = 2**31 - 1


def _utc(moment: datetime) -> datetime:
    try:
        return to_utc(moment)
    except OverflowError as error:
        raise ValueError(f"{moment} is out of range") from error


EntityId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Moment = Annotated[datetime, AfterValidator(_utc)]


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


class Event(BaseModel):
    """One thing that happened.

    User and movie are absent from a `polled` marker, which ends a poll's sightings, and from an `undone` event, which
    takes back the event whose id is `undoes`.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")

    type: EventType
    source: str
    at: Moment
    event_id: str | None = None
    user_id: EntityId | None = None
    movie_id: EntityId | None = None
    rating: float | None = None
    value: int | None = None
    title: str | None = None
    year: int | None = None
    undoes: str | None = None

    @property
    def key(self) -> str:
        """The event's own id, else one that follows from source, user, movie and moment."""
        return self.event_id or f"{self.source}:{self.user_id}:{self.movie_id}:{self.at:%Y%m%dT%H%M%S.%f}"

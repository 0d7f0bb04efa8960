"""What a user does with a movie, and how it travels to the graph and back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from common.times import moment_of, text_of

# Of users and movies: staged ratings have 32 bits for them.
LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class Viewing:
    """One user's viewing of one movie; open until it is finished, or abandoned: too short to count.

    `finish_id` is the event that finished it, if a client told so after its beginning.

    `polls_since_seen` counts the polls of the feed since its last sighting, the one that showed it included.
    """

    event_id: str
    user_id: int
    movie_id: int
    source: str
    started_at: datetime
    last_seen_at: datetime
    finished_at: datetime | None = None
    abandoned_at: datetime | None = None
    finish_id: str | None = None
    polls_since_seen: int = 0

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, either way; None while it is open."""
        return self.finished_at or self.abandoned_at

    @classmethod
    def from_row(cls, row: list[Any]) -> Self:
        """A viewing as `read_viewings` gives it."""
        return cls(*row[:4], *map(moment_of, row[4:8]), *row[8:])

    def to_row(self) -> dict[str, Any]:
        """As the queries that write it want it."""
        return {
            "eventId": self.event_id,
            "userId": self.user_id,
            "movieId": self.movie_id,
            "source": self.source,
            "startedAt": text_of(self.started_at),
            "lastSeenAt": text_of(self.last_seen_at),
            "finishedAt": text_of(self.finished_at),
            "abandonedAt": text_of(self.abandoned_at),
            "finishId": self.finish_id,
            "pollsSinceSeen": self.polls_since_seen,
        }


@dataclass(frozen=True)
class KnownEvent:
    """What an event is in the graph: whose, about which movie, of which kind, and with which stars or like.

    A viewing's beginning is `started`, however it came to be known; of an `undone` event nothing else is known.
    `replaced`: a newer event of its kind stands.
    """

    kind: str
    user_id: int | None = None
    movie_id: int | None = None
    value: float | None = None
    replaced: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Interaction:
    """A rating (1 to 5 stars as `value`), like (1 or -1), listing or click."""

    kind: Literal["rated", "liked", "listed", "clicked"]
    user_id: int
    movie_id: int
    at: datetime
    event_id: str
    value: float | None = None

    def to_row(self) -> dict[str, Any]:
        """As the queries that write it want it."""
        return {
            "userId": self.user_id,
            "movieId": self.movie_id,
            "at": text_of(self.at),
            "eventId": self.event_id,
            "rating" if self.kind == "rated" else "value": self.value,
        }

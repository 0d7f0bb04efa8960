"""The durable event log: what every engine of it promises."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from graph.errors import RecommenderError
from stream.events import Event


class EventLogError(RecommenderError):
    """The event log cannot be written or read."""


@dataclass(frozen=True)
class DeadLetter:
    """Something that could not be read: an answer of the feed, one row of it as an answer, or a record of the log."""

    letter_id: int
    at: datetime
    reason: str
    body: str


class EventLog(Protocol):
    """An append-only log of events, and what could not be read."""

    def append(self, events: list[Event]) -> list[Event]:
        """Store events durably, all or none; returns them as stored.

        Of an event whose id was appended before, the first version is what is stored and returned.
        """

    def read(self, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        """(offset, event) from an offset on, oldest first; None for what cannot be decoded, a dead letter by now."""

    def bury(self, body: str, reason: str) -> None:
        """Keep something unreadable as a dead letter; the same once more is kept once."""

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""

    def drop_letters(self, letter_ids: list[int]) -> int:
        """Remove dead letters; returns how many there were."""

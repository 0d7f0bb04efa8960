"""The durable event log: what every engine of it promises."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.errors import RecommenderError
from stream.events import Event


class EventLogError(RecommenderError):
    """The event log cannot be written or read."""


class EventIdTakenError(EventLogError):
    """Events have ids that are those of other events on the log."""

    def __init__(self, event_ids: list[str]) -> None:
        """`event_ids`: which."""
        super().__init__(f"these ids are those of other events: {', '.join(event_ids)}")
        self.event_ids = event_ids


class NoRoomError(EventLogError):
    """The event log's disk is full: the same call works once there is room."""


# Of a dead letter; what is longer is cut.
LONGEST_BODY = 100_000


@dataclass(frozen=True)
class DeadLetter:
    """Something that could not be read: an answer of the feed, one row of it as an answer, or a record of the log."""

    letter_id: int
    at: datetime
    reason: str
    body: str


def digest_letter(body: str, reason: str) -> str:
    """What tells a dead letter from others."""
    return hashlib.sha256(f"{reason}\0{body}".encode(errors="backslashreplace")).hexdigest()


class EventLog(Protocol):
    """An append-only log of events in partitions, and what could not be read.

    All events of a user are in one partition, in the order in which they came.
    """

    @property
    def name(self) -> str:
        """What tells this log from others: the source of its positions in the graph."""

    @property
    def partitions(self) -> int:
        """How many partitions there are."""

    def assigned(self) -> list[int]:
        """The partitions that this process is to apply now. To be asked often: that keeps them."""

    def append(self, events: list[Event], *, again: bool = False) -> list[Event]:
        """Store events durably; returns them as stored. Raises EventLogError if not all of them are known to be.

        A log that finds events by their ids raises EventIdTakenError, and stores none, if one is another event's.

        `again`: also those that are on the log already, since they could not be applied there.
        """

    def read(self, partition: int, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        """(offset, event) from an offset on, oldest first; None for what was forgotten or cannot be decoded.

        The latter is a dead letter by now.
        """

    def end(self, partition: int) -> int:
        """The offset that the next event of a partition gets."""

    def trim(self, applied: dict[int, int], days: float, megabytes: int) -> int:
        """Remove events before `applied` (offsets by partition) that are too old, or too many; returns how many."""

    @property
    def leading(self) -> bool:
        """Whether this process is the one worker that polls, recommends and delivers; lead() found so just now."""

    def lead(self) -> bool:
        """Become that worker, or stay it, if nobody else is. To be asked often, by one thread."""

    def take_call(self, calls: int, window: float) -> float:
        """Take one of `calls` calls to the feed in any `window` seconds, for all workers on this log.

        Returns 0 if the call is granted, else the seconds until it may be.
        """

    def close(self) -> None:
        """Leave what this process is assigned to others, at once."""

    def check(self) -> str:
        """What this log is, for people. Raises EventLogError if it cannot take events now."""

    def forget(self, user_ids: set[int], before: datetime, seconds: float) -> int:
        """Remove what events of some users say, from up to a moment, where the log can; returns of how many.

        Their offsets stay, and are read as None. What takes longer than so many seconds is left.
        """

    def bury(self, body: str, reason: str) -> None:
        """Keep something unreadable as a dead letter, its first LONGEST_BODY signs; the same once more is kept once."""

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""

    def count_letters(self) -> int:
        """How many dead letters there are."""

    def drop_letters(self, letter_ids: list[int]) -> int:
        """Remove dead letters; returns how many there were."""

"""What writers apply and consumers ask for: batches, changes since a sequence number, how far the log is applied."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from pydantic import Field

from common.settings import Settings
from graph.database import Database, Transaction, native
from graph.repositories.ingest_transaction import IngestTransaction, read_known_events
from graph.repositories.interactions import KnownEvent
from graph.repositories.recommendations import RecommendationList
from graph.shapes import EventId, Shape, Timestamp

Result = TypeVar("Result")

HIT_WINDOW = timedelta(days=Settings().hit_window)
# The IngestOffset that tells up to which sequence number finishes have led to recommendations.
RECOMMENDATIONS = "recommendations"


class Finish(Shape):
    """The latest finish of a user, and who told of it; `stored`: its recommendations are stored already."""

    user_id: int
    movie_id: int
    event_id: str
    sequence: int
    at: Timestamp
    stored: bool
    source: str


class ViewingChange(Shape):
    """Pushed when a viewing starts or ends; `abandoned` if it was too short to count as finished."""

    sequence: int = Field(exclude=True)
    user_id: int
    movie_id: int
    title: str | None
    year: int | None
    status: Literal["started", "finished", "abandoned"]
    at: Timestamp
    event_id: EventId


@dataclass(frozen=True)
class Changes:
    """What happened since a sequence number: to whom (None: perhaps to everybody), and the models now in use."""

    sequence: int
    model: str | None
    user_ids: set[int] | None


@dataclass(frozen=True)
class Position:
    """How far one partition of the log is applied: the next offset, and the last sequence number it gave."""

    offset: int = 0
    sequence: int = 0


class Ingest:
    """The writers' repository."""

    def __init__(self, database: Database, hit_window: timedelta = HIT_WINDOW) -> None:
        """`hit_window`: how long after a list a viewing still counts as its hit; as long are lists kept."""
        self._database = database
        self._hit_window = hit_window

    def transact(self, work: Callable[[IngestTransaction], Result]) -> Result:
        """Apply one batch in one transaction; `work` is called again if Neo4j asks for a retry."""

        def run(transaction: Transaction) -> Result:
            batch = IngestTransaction(transaction, self._hit_window)
            result = work(batch)
            batch.close()
            return result

        return self._database.transact(run)

    def get_sequence(self) -> int:
        """Number of the last applied batch."""
        return next((int(record["value"] or 0) for record in self._database.read("get_sequence")), 0)

    def read_changes(self, after: int) -> Changes:
        """What happened since a sequence number."""
        [record] = self._database.read("read_changes", after=after)
        noted = [user_ids for _, user_ids in record["changes"]]
        complete = len(noted) == record["sequence"] - after and None not in noted
        about = set().union(*noted) if complete else None
        return Changes(record["sequence"], record["model"], about)

    def read_offset(self, source: str, partition: int = 0) -> Position:
        """How far a partition of the log is applied."""
        for record in self._database.read("read_offset", source=source, partition=partition):
            return Position(record["offset"], record["sequence"])
        return Position()

    def read_offsets(self, source: str) -> dict[int, int]:
        """The next offset to apply, by partition; of those of which something is applied."""
        records = self._database.read("read_offsets", source=source)
        return {record["partition"]: record["offset"] for record in records}

    def find_first_undelivered(self, follower: str) -> datetime | None:
        """When the first list was made that a follower of the sequence has not come to."""
        for record in self._database.read("find_first_undelivered", source=follower):
            return native(record["at"])
        return None

    def is_erased(self, user_id: int) -> bool:
        """Whether nothing of a user may be kept now."""
        found = self._database.read("find_erased_users", userIds=[user_id])
        return any(record["liftedAt"] is None for record in found)

    def find_known_events(self, event_ids: list[str]) -> dict[str, KnownEvent]:
        """What some events are in the graph, of those that left something there."""
        return read_known_events(self._database.read("find_known_events", eventIds=event_ids, undone=False))

    def read_finishes_since(self, after: int, until: int) -> list[Finish]:
        """The latest finish of each user in the batches after one up to another, which is known to be whole."""
        records = self._database.read("read_finishes_since", after=after, until=until)
        return [Finish.from_record(record) for record in records]

    def read_viewings_since(self, after: int, until: int) -> list[ViewingChange]:
        """Viewings that started or ended in the batches `after` < number ≤ `until`, oldest first."""
        records = self._database.read("read_viewings_since", after=after, until=until)
        return [ViewingChange.from_record(record) for record in records]

    def store_lists(self, lists: list[tuple[str, RecommendationList]]) -> None:
        """Store lists, each under its batch id, in one batch of the sequence."""
        if lists:
            self.transact(lambda batch: batch.store_lists(lists))

    def move_consumer(self, name: str, sequence: int) -> None:
        """Remember up to which sequence number somebody who follows along has come."""
        key = {"source": name, "partition": 0}

        def move(transaction: Transaction) -> None:
            transaction.run("lock_offset", **key)
            transaction.run("move_offset", **key, offset=0, sequence=sequence)

        self._database.transact(move)

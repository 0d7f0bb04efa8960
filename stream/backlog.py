"""How far the graph is behind the event log: told to people, and held within bounds."""

import time
from collections.abc import Callable

from graph.errors import DatabaseUnavailableError
from graph.repositories.ingest import Ingest
from stream.log import EventLog, EventLogError

MEASURED_EVERY_SECONDS = 1.0


class Backlog:
    """The events on the log that are not in the graph by the writer's count; those of a POST may be there already."""

    def __init__(
        self, log: EventLog, ingest: Ingest, largest: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._ingest = ingest
        self._largest = largest
        self._clock = clock
        self._measured_at = float("-inf")
        self._events = 0
        self._failure: DatabaseUnavailableError | None = None

    def measure(self) -> int:
        """How many events that is; at most a second old. Raises DatabaseUnavailableError and EventLogError."""
        now = self._clock()
        if self._failure is not None and now - self._measured_at < MEASURED_EVERY_SECONDS:
            raise self._failure
        if now - self._measured_at >= MEASURED_EVERY_SECONDS:
            self._measured_at = now  # Also a failure is enough once a second.
            try:
                positions, self._failure = self._ingest.read_offsets(self._log.name), None
            except DatabaseUnavailableError as error:
                self._failure = error
                raise
            ends = {partition: self._log.end(partition) for partition in range(self._log.partitions)}
            self._events = sum(max(0, end - positions.get(partition, 0)) for partition, end in ends.items())
        return self._events

    def require_room(self) -> None:
        """Raise EventLogError if the log is too far ahead to take more; while Neo4j is away, it goes on taking."""
        try:
            events = self.measure()
        except DatabaseUnavailableError:
            return
        if events >= self._largest:
            raise EventLogError(
                f"{events:,} events wait on the log, and no more are taken: is `python -m stream worker` running? "
                "See RECOMMENDER_LARGEST_BACKLOG"
            )

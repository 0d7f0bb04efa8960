"""From the feed into the log: one call, its sightings, and a marker that the poll is complete."""

import logging
from collections.abc import Callable

from graph.times import utc_now
from stream.events import FEED, Event, EventType
from stream.feed import FeedClient, FeedError
from stream.log import SqliteEventLog

logger = logging.getLogger(__name__)

BUDGET_SECONDS = 60.0
FIRST_BACKOFF = 5.0
LONGEST_BACKOFF = 300.0
LONGEST_RETRY_AFTER = 3600.0


class Poller:
    """Polls the feed as often as its limit allows, more slowly while it fails."""

    def __init__(
        self, client: FeedClient, log: SqliteEventLog, calls_per_minute: int, clock: Callable[[], float]
    ) -> None:
        """`clock` tells seconds since the epoch."""
        self._client = client
        self._log = log
        self._calls = calls_per_minute
        self._clock = clock
        self._failures = 0

    def poll_once(self) -> float:
        """Call the feed if the budget allows; returns the seconds to wait before the next call of this method."""
        wait = self._log.take_call(self._clock(), self._calls, BUDGET_SECONDS)
        if wait > 0:
            return wait
        try:
            answer = self._client.fetch()
        except FeedError as error:
            self._failures += 1
            wait = max(self._backoff(), min(LONGEST_RETRY_AFTER, error.retry_after or 0.0))
            logger.warning("%s; next call in %.0f s", error, wait)
            return wait
        self._failures = 0
        for body, reason in answer.unreadable:
            logger.warning("a row of the feed is unreadable (%s), kept as a dead letter", reason)
            self._log.bury(body, reason)
        self._log.append([*answer.sightings, Event(type=EventType.POLLED, source=FEED, at=utc_now())])
        logger.info("the feed shows %d viewings", len(answer.sightings))
        return BUDGET_SECONDS / self._calls

    def _backoff(self) -> float:
        doublings = min(self._failures - 1, 30)  # 2.0 ** 1024 is an error.
        return min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0**doublings)

"""From the feed into the log: one call, its sightings, and a marker that the poll is complete."""

import logging
import random
from collections.abc import Callable

from common.times import utc_now
from stream.backoff import Backoff
from stream.decoding import FeedError, UnreadableAnswerError
from stream.event_log.base import EventLog
from stream.events import FEED, Event, EventType
from stream.feed import CONNECT_SECONDS, FeedClient
from stream.metrics import FEED_CALLS, FEED_CIRCUIT_OPEN, FEED_ROWS

logger = logging.getLogger(__name__)

MINUTE = 60.0
# A call may reach the feed later than it was counted here, by as long as it takes to connect.
BUDGET_SECONDS = MINUTE + CONNECT_SECONDS


class Poller:
    """Polls the feed as often as its limit allows, more slowly while it fails."""

    def __init__(
        self,
        client: FeedClient,
        log: EventLog,
        calls_per_minute: int,
        uniform: Callable[[float, float], float] = random.uniform,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        """`tell` is called when there is something new on the log."""
        self._client = client
        self._log = log
        self._calls = calls_per_minute
        self._backoff = Backoff(uniform)
        self._tell = tell

    def poll_once(self) -> float:
        """Call the feed if the budget allows; returns the seconds to wait before the next call of this method."""
        wait = self._log.take_call(self._calls, BUDGET_SECONDS)
        if wait > 0:
            return wait
        try:
            answer = self._client.fetch()
        except FeedError as error:
            wait = self._backoff.fail(error.retry_after)
            FEED_CIRCUIT_OPEN.set(self._backoff.is_open)
            FEED_CALLS.labels("unreadable" if isinstance(error, UnreadableAnswerError) else "failed").inc()
            state = "it counts as down, next try" if self._backoff.is_open else "next call"
            logger.warning("%s; %s in %.0f s", error, state, wait)
            if isinstance(error, UnreadableAnswerError):
                self._log.bury(error.text, str(error))
            return wait
        self._backoff.succeed()
        FEED_CIRCUIT_OPEN.set(0)
        FEED_CALLS.labels("answered").inc()
        FEED_ROWS.labels("decoded").inc(len(answer.sightings))
        FEED_ROWS.labels("unreadable").inc(len(answer.unreadable))
        # Of an answer without a readable row nobody knows who is watching: its marker would end what is going on.
        if answer.sightings or not answer.unreadable:
            self._log.append([*answer.sightings, Event(type=EventType.POLLED, source=FEED, at=utc_now())])
            self._tell()
        logger.info("the feed shows %d viewings", len(answer.sightings))
        if answer.ahead:
            logger.warning(
                "%d of the feed's moments are further ahead of this machine's clock than RECOMMENDER_FUTURE_MINUTES "
                "allows: the time of receipt counts. Are the feed's times local, or is a clock wrong?",
                answer.ahead,
            )
        for body, reason in answer.unreadable:
            logger.warning("a row of the feed is unreadable, kept as a dead letter")  # the reason may name its user
            self._log.bury(body, reason)
        return MINUTE / self._calls
